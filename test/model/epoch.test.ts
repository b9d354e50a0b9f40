import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  agreesOn,
  cursorOf,
  type EpochHistory,
  epochOf,
  joinEpochs,
  openingsOf,
  vectorOf,
} from '../../src/model/epoch.ts';
import type { OriginId } from '../../src/model/position.ts';
import { equalVectors } from '../../src/model/version-vector.ts';
import { anyVector, origins } from './arbitraries.ts';

/** Openings in their order; an opening without a write begins at the same sequence as the next. */
const anyHistory: fc.Arbitrary<EpochHistory> = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 2 })), { maxLength: 5 })
  .map((openings) => {
    let first = 1;
    return openings.map(([epoch, step]) => {
      first += step;
      return { epoch, first };
    });
  });

const anyEpochs = fc.array(fc.tuple(fc.constantFrom(...origins), anyHistory)).map((histories) => new Map(histories));

describe('epochs', () => {
  it('name, for a sequence, the last opening that began at or before it', () => {
    fc.assert(
      fc.property(anyHistory, fc.integer({ min: 0, max: 12 }), (history, sequence) => {
        let expected: number | undefined;
        for (const { epoch, first } of history) if (first <= sequence) expected = epoch;
        expect(epochOf(history, sequence)).toBe(expected);
      }),
    );
  });

  it('are unknown where nothing is known of the origin, or nothing so early', () => {
    expect(epochOf(undefined, 1)).toBeUndefined();
    expect(epochOf([{ epoch: 9, first: 5 }], 4)).toBeUndefined();
    expect(epochOf([{ epoch: 9, first: 5 }], 5)).toBe(9);
  });

  it('stay the same for a sequence when the origin is opened again later', () => {
    fc.assert(
      fc.property(
        anyHistory,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (history, sequence, gap) => {
          const longer = [...history, { epoch: 7, first: Math.max(sequence, history.at(-1)?.first ?? 0) + gap }];
          expect(epochOf(longer, sequence)).toBe(epochOf(history, sequence));
        },
      ),
    );
  });
});

describe('a cursor', () => {
  it('is its vector, with the epoch of each component', () => {
    fc.assert(
      fc.property(anyVector, anyEpochs, (vector, epochs) => {
        const cursor = cursorOf(vector, epochs);
        expect(vectorOf(cursor)).toEqual(vector);
        expect(equalVectors(vectorOf(cursor), vector)).toBe(true);
        for (const [origin, { sequence, epoch }] of cursor) expect(epoch).toBe(epochOf(epochs.get(origin), sequence));
      }),
    );
  });

  it('agree on a vector where every opening that is known of it is named, and is the same', () => {
    const [a, b] = origins as [OriginId, OriginId];
    const known = new Map([
      [
        a,
        [
          { epoch: 7, first: 1 },
          { epoch: 8, first: 5 },
        ],
      ],
    ]);
    const at = (sequence: number) => new Map([[a, sequence]]);
    expect(agreesOn(at(4), new Map([[a, 7]]), known)).toBe(true);
    expect(agreesOn(at(5), new Map([[a, 8]]), known)).toBe(true);
    expect(agreesOn(at(5), new Map([[a, 7]]), known)).toBe(false);
    expect(agreesOn(at(5), new Map(), known)).toBe(false);
    expect(agreesOn(new Map([[b, 5]]), new Map([[b, 9]]), known), 'nothing is known of it').toBe(true);
  });

  it('agree with themselves', () => {
    fc.assert(
      fc.property(anyVector, anyEpochs, (vector, epochs) => {
        expect(agreesOn(vector, openingsOf(vector, epochs), epochs)).toBe(true);
      }),
    );
  });

  it('are joined by what goes on, and where two part by the one that begins earlier', () => {
    const [a] = origins as [OriginId];
    const told = (...starts: Array<readonly [number, number]>) =>
      new Map([[a, starts.map(([epoch, first]) => ({ epoch, first }))]]);
    const one = told([1, 1]);
    const later = told([1, 1], [2, 21]);
    const putBack = told([1, 1], [3, 11]);
    expect(joinEpochs(one, later)).toEqual(later);
    expect(joinEpochs(later, one)).toBe(later);
    expect(joinEpochs(later, putBack)).toEqual(putBack);
    expect(joinEpochs(putBack, later)).toBe(putBack);
    expect(joinEpochs(told([1, 1], [2, 11]), putBack), 'told last').toEqual(putBack);
    expect(joinEpochs(told([7, 3]), told([8, 5])), 'nothing shared').toEqual(told([8, 5]));
  });

  it('stay as they are where they are told again, or a part of them', () => {
    fc.assert(
      fc.property(anyEpochs, fc.nat({ max: 5 }), (epochs, length) => {
        for (const history of epochs.values())
          fc.pre(new Set(history.map(({ epoch }) => epoch)).size === history.length);
        const part = new Map([...epochs].map(([origin, history]) => [origin, history.slice(0, length)]));
        expect(joinEpochs(epochs, part)).toBe(epochs);
      }),
    );
  });
});
