import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bottomStamp,
  counterMax,
  laterStamp,
  makeStamp,
  parseStamp,
  type StampParts,
  stampParts,
  stampWallMs,
} from '../../src/model/stamp.ts';
import { anyStamp, anyStampParts } from './arbitraries.ts';

function compareParts(a: StampParts, b: StampParts): number {
  return a.wallMs - b.wallMs || a.counter - b.counter || (a.log < b.log ? -1 : a.log > b.log ? 1 : 0);
}

describe('a stamp', () => {
  it('orders as its parts do: wall time, counter, log', () => {
    fc.assert(
      fc.property(anyStampParts, anyStampParts, (a, b) => {
        const [x, y] = [makeStamp(a), makeStamp(b)];
        expect(x < y ? -1 : x > y ? 1 : 0).toBe(Math.sign(compareParts(a, b)));
        expect(Math.sign(Buffer.compare(Buffer.from(x, 'hex'), Buffer.from(y, 'hex')))).toBe(
          Math.sign(compareParts(a, b)),
        );
      }),
    );
  });

  it('gives back the parts that it was made of', () => {
    fc.assert(
      fc.property(anyStampParts, (parts) => {
        const stamp = makeStamp(parts);
        expect(stampParts(stamp)).toEqual(parts);
        expect(stampWallMs(stamp)).toBe(parts.wallMs);
        expect(parseStamp(stamp)).toBe(stamp);
      }),
    );
  });

  it('is not parsed from anything but 32 lower-case hex digits', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseStamp(text)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(anyStamp, (stamp) => {
        for (const text of [`${stamp}0`, ` ${stamp}`, `${stamp}\n`, stamp.slice(1), `A${stamp.slice(1)}`]) {
          expect(parseStamp(text)).toBeUndefined();
        }
      }),
    );
  });

  it('is never made of parts that would not fit', () => {
    const good = { wallMs: 1, counter: 1, log: '0'.repeat(16) as StampParts['log'] };
    for (const bad of [
      { wallMs: 2 ** 48 },
      { wallMs: -1 },
      { wallMs: 0.5 },
      { counter: counterMax + 1 },
      { counter: -1 },
    ]) {
      expect(() => makeStamp({ ...good, ...bad })).toThrow('assertion failed');
    }
  });

  it('has a latest of two, and a bottom before all', () => {
    fc.assert(
      fc.property(anyStamp, anyStamp, (a, b) => {
        expect(laterStamp(a, b)).toBe([a, b].sort().at(-1));
        expect(laterStamp(a, bottomStamp)).toBe(a);
        expect(bottomStamp <= a).toBe(true);
      }),
    );
  });
});
