import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SpaceSaving } from '../../src/runtime/space-saving.ts';

it('is off by no more than it says, and keeps every name that came more often than a counter’s share', () => {
  // Few names that come often, and many that come once.
  const name = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 500 })).map(String);
  const stream = fc.array(fc.tuple(name, fc.integer({ min: 1, max: 4 })), { maxLength: 400 });
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 20 }), (added, countersMax) => {
      const sketch = new SpaceSaving(countersMax);
      const truth = new Map<string, number>();
      for (const [one, weight] of added) {
        sketch.add(one, weight);
        truth.set(one, (truth.get(one) ?? 0) + weight);
      }
      const total = [...truth.values()].reduce((sum, count) => sum + count, 0);
      expect([...sketch.names()].length).toBeLessThanOrEqual(countersMax);
      for (const [one, count] of truth) {
        const counted = sketch.get(one);
        if (counted === undefined) {
          expect(count).toBeLessThanOrEqual(sketch.uncountedMax);
          expect(count).toBeLessThanOrEqual(total / countersMax);
        } else {
          expect(counted.error).toBeLessThanOrEqual(total / countersMax);
          expect(count).toBeLessThanOrEqual(counted.count);
          expect(count).toBeGreaterThanOrEqual(counted.count - counted.error);
        }
      }
    }),
  );
});
