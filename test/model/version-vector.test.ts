import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  covers,
  coversPosition,
  emptyVector,
  equalVectors,
  formatVector,
  joinVectors,
  meetVectors,
  type VersionVector,
  withPosition,
} from '../../src/model/version-vector.ts';
import { anyPosition, anyVector, logs } from './arbitraries.ts';

/** The vector as the numbers that it stands for: what is absent is 0. */
function components(vector: VersionVector): number[] {
  return logs.map((log) => vector.get(log) ?? 0);
}

function combine(a: VersionVector, b: VersionVector, choose: (x: number, y: number) => number): number[] {
  const others = components(b);
  return components(a).map((value, index) => choose(value, others[index] ?? 0));
}

describe('version vectors', () => {
  it('join to the component-wise maximum', () => {
    fc.assert(
      fc.property(anyVector, anyVector, (a, b) => {
        expect(components(joinVectors(a, b))).toEqual(combine(a, b, Math.max));
      }),
    );
  });

  it('meet in the component-wise minimum, which names no zero', () => {
    fc.assert(
      fc.property(anyVector, anyVector, (a, b) => {
        const met = meetVectors(a, b);
        expect(components(met)).toEqual(combine(a, b, Math.min));
        expect([...met.values()]).not.toContain(0);
      }),
    );
  });

  it('form a lattice: commutative, associative, idempotent, absorbing', () => {
    fc.assert(
      fc.property(anyVector, anyVector, anyVector, (a, b, c) => {
        for (const op of [joinVectors, meetVectors]) {
          expect(equalVectors(op(a, b), op(b, a))).toBe(true);
          expect(equalVectors(op(op(a, b), c), op(a, op(b, c)))).toBe(true);
          expect(equalVectors(op(a, a), a)).toBe(true);
        }
        expect(equalVectors(joinVectors(a, meetVectors(a, b)), a)).toBe(true);
        expect(equalVectors(meetVectors(a, joinVectors(a, b)), a)).toBe(true);
      }),
    );
  });

  it('cover each other just as their components say, and as join and meet do', () => {
    fc.assert(
      fc.property(anyVector, anyVector, (a, b) => {
        const covered = combine(a, b, (x, y) => Number(x >= y)).every((holds) => holds === 1);
        expect(covers(a, b)).toBe(covered);
        expect(equalVectors(joinVectors(a, b), a)).toBe(covered);
        expect(equalVectors(meetVectors(a, b), b)).toBe(covered);
        expect(equalVectors(a, b)).toBe(covers(a, b) && covers(b, a));
        expect(covers(a, emptyVector)).toBe(true);
      }),
    );
  });

  it('cover a position once it is added, and nothing else besides', () => {
    fc.assert(
      fc.property(anyVector, anyPosition, (vector, position) => {
        const raised = withPosition(vector, position);
        expect(coversPosition(raised, position)).toBe(true);
        expect(coversPosition(vector, position)).toBe(equalVectors(raised, vector));
        expect(equalVectors(raised, joinVectors(vector, new Map([[position.log, position.sequence]])))).toBe(true);
      }),
    );
  });

  it('are given back themselves, and never changed, where nothing is added', () => {
    fc.assert(
      fc.property(anyVector, anyVector, anyPosition, (a, b, position) => {
        const before = components(a);
        if (covers(a, b)) expect(joinVectors(a, b)).toBe(a);
        else joinVectors(a, b);
        if (coversPosition(a, position)) expect(withPosition(a, position)).toBe(a);
        else withPosition(a, position);
        expect(components(a)).toEqual(before);
      }),
    );
  });

  it('are written in the order of logs, whatever the order of their making', () => {
    fc.assert(
      fc.property(anyVector, (vector) => {
        expect(formatVector(new Map([...vector].reverse()))).toBe(formatVector(vector));
      }),
    );
    const [one, two] = logs;
    if (one === undefined || two === undefined) throw new Error('too few logs');
    expect(
      formatVector(
        new Map([
          [two, 3],
          [one, 4],
        ]),
      ),
    ).toBe(`${one}:4,${two}:3`);
  });
});
