import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyVector } from '../../src/model/version-vector.ts';
import { Ring, type RingEntry } from '../../src/replication/ring.ts';
import { live } from '../contract/sample-records.ts';

/** A commit of so many bytes of value, about; it is told by its time. */
function entry(number: number, valueBytes = 0): RingEntry {
  const records = valueBytes === 0 ? [] : [live({ key: 'k', sequence: 1, value: new Uint8Array(valueBytes) })];
  return { records, step: { vector: emptyVector, stable: emptyVector }, committedAtMs: number };
}

const wide = { ringCommitsMax: 1_000_000, ringBytesMax: Number.POSITIVE_INFINITY };
const read = (ring: Ring, from: number) =>
  Array.from({ length: ring.end - from }, (_, index) => ring.at(from + index)?.committedAtMs);

describe('the ring of newest commits', () => {
  it('hands out each commit at its place, before and after it grew', () => {
    const ring = new Ring(wide);
    for (let n = 0; n < 1000; n++) {
      expect(ring.end).toBe(n);
      ring.append(entry(n));
    }
    expect(read(ring, 0)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    expect([ring.at(1000), ring.at(-1)]).toEqual([undefined, undefined]);
  });

  it('keeps the places of its commits where it wraps around, and grows after that', () => {
    const few = { ringCommitsMax: 100, ringBytesMax: Number.POSITIVE_INFINITY };
    const ring = new Ring(few);
    for (let n = 0; n < 5000; n++) {
      ring.append(entry(n));
      const oldest = Math.max(0, n - 99);
      expect([ring.has(oldest), ring.has(oldest - 1), ring.at(oldest)?.committedAtMs]).toEqual([true, false, oldest]);
      expect(ring.at(n)?.committedAtMs).toBe(n);
    }
    expect(read(ring, 4900)).toEqual(Array.from({ length: 100 }, (_, n) => 4900 + n));
  });

  it('grows also where its oldest commit stands in the middle of its slots', () => {
    // The bytes keep it at some dozens of commits; then small ones let it grow past its first slots.
    const ring = new Ring({ ringCommitsMax: 1_000_000, ringBytesMax: 60_000 });
    for (let n = 0; n < 100; n++) ring.append(entry(n, 1000));
    for (let n = 100; n < 900; n++) ring.append(entry(n));
    let oldest = 0;
    while (!ring.has(oldest)) oldest++;
    expect(oldest % 64).not.toBe(0);
    expect(ring.end - oldest).toBeGreaterThan(64);
    expect(read(ring, oldest)).toEqual(Array.from({ length: 900 - oldest }, (_, n) => oldest + n));
    expect(ring.bytes).toBeLessThanOrEqual(60_000);
  });

  it('is what a plain list of the newest commits is, whatever is done to it', () => {
    const step = fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 0, max: 3000 }) },
      { weight: 1, arbitrary: fc.constant('clear' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
        const ring = new Ring({ ringCommitsMax: 90, ringBytesMax: 40_000 });
        let base = 0;
        let kept: RingEntry[] = [];
        for (const [number, todo] of steps.entries()) {
          if (todo === 'clear') {
            ring.clear();
            base += kept.length + 1;
            kept = [];
          } else {
            const added = entry(number, todo);
            ring.append(added);
            kept.push(added);
            const gone = kept.length - keptOf(ring, base, kept.length);
            base += gone;
            kept = kept.slice(gone);
          }
          expect(ring.end).toBe(base + kept.length);
          expect(kept.map((_, index) => ring.at(base + index) === kept[index])).toEqual(kept.map(() => true));
          expect([ring.has(base), ring.has(base - 1)]).toEqual([true, false]);
          expect(kept.length).toBeLessThanOrEqual(90);
          expect(ring.bytes).toBeLessThanOrEqual(40_000);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('holds nothing once it is cleared, and whoever was at its end is not there any more (R2)', () => {
    const ring = new Ring(wide);
    ring.append(entry(0));
    const { end } = ring;
    ring.clear();
    expect([ring.has(end), ring.at(0), ring.bytes]).toEqual([false, undefined, 0]);
    expect(ring.has(ring.end)).toBe(true);
  });

  it('wakes whoever waits once, at an append or when it is cleared, but for who took that back', () => {
    const ring = new Ring(wide);
    const woken: string[] = [];
    ring.onceChanged(() => woken.push('first'));
    ring.onceChanged(() => woken.push('gone'))();
    ring.append(entry(0));
    ring.append(entry(1));
    expect(woken).toEqual(['first']);
    ring.onceChanged(() => woken.push('second'));
    ring.clear();
    expect(woken).toEqual(['first', 'second']);
  });
});

/** How many of the newest commits the ring still has. */
function keptOf(ring: Ring, base: number, known: number): number {
  let kept = known;
  while (kept > 0 && !ring.has(base + known - kept)) kept--;
  return kept;
}
