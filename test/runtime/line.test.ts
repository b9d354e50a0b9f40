import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Line } from '../../src/runtime/line.ts';

it('gives what came first, and lets go of what has left', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom('push' as const, 'keep' as const), fc.nat(5)), { maxLength: 200 }),
      (steps) => {
        const line = new Line<number>();
        let expected: number[] = [];
        for (const [number, step] of steps.entries()) {
          if (step === 'push') {
            line.push(number);
            expected.push(number);
          } else if (step === 'keep') {
            line.keep((item) => item % 3 !== 0);
            expected = expected.filter((item) => item % 3 !== 0);
          } else {
            const count = Math.min(step, line.length);
            line.drop(count);
            expected.splice(0, count);
          }
          expect(Array.from({ length: line.length }, (_, index) => line.at(index))).toEqual(expected);
          expect(line.at(line.length)).toBeUndefined();
        }
      },
    ),
  );
});
