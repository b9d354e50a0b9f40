import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { merge, replaces } from '../../src/model/merge.ts';
import { absence, expireInPlace, type Record } from '../../src/model/record.ts';
import { anyPosition, anyStamp, namespaces } from './arbitraries.ts';

const [, namespace = namespaces[0]] = namespaces;
if (namespace === undefined) throw new Error('no namespace');
const key = 'k';

/**
 * A world of writes of one key: a stamp names one write, so it has one kind, value and position. What is met of it is
 * the write itself, or, where it expires, also the form that dropped its value. (Of two positions for one stamp, as
 * a write in another log makes them, the one that is held stays: that alone depends on the order, and is tested by itself below.)
 */
const world = fc
  .uniqueArray(fc.tuple(anyStamp, fc.constantFrom('live', 'live expiring', 'tombstone'), anyPosition), {
    selector: ([stamp]) => stamp,
    minLength: 1,
    maxLength: 4,
  })
  .map((writes) =>
    writes.flatMap(([stamp, kind, position]): Record[] => {
      const written = { namespace, key, stamp, position };
      if (kind === 'tombstone') return [{ kind: 'tombstone', ...written }];
      const value = new TextEncoder().encode(stamp);
      if (kind === 'live') return [{ kind: 'live', ...written, value }];
      const expiring = { kind: 'live', ...written, value, expiresAt: 7 } as const;
      return [expiring, expireInPlace(expiring)];
    }),
  );

const one = world.chain((records) => fc.constantFrom(...records));
const two = world.chain((records) => fc.tuple(fc.constantFrom(...records), fc.constantFrom(...records)));
const three = world.chain((records) => {
  const member = fc.constantFrom(...records);
  return fc.tuple(member, member, member);
});

describe('the merge rule', () => {
  it('is commutative', () => {
    fc.assert(
      fc.property(two, ([a, b]) => {
        expect(merge(a, b)).toEqual(merge(b, a));
      }),
    );
  });

  it('is associative', () => {
    fc.assert(
      fc.property(three, ([a, b, c]) => {
        expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)));
      }),
    );
  });

  it('is idempotent, and leaves what is held as it is', () => {
    fc.assert(
      fc.property(one, (a) => {
        expect(merge({ ...a }, a)).toBe(a);
        expect(replaces(a, a)).toBe(false);
      }),
    );
  });

  it('has an identity: nothing held, and the absence that nobody wrote', () => {
    fc.assert(
      fc.property(one, (a) => {
        const none: Record = absence(namespace, key);
        expect(merge(a, undefined)).toBe(a);
        if (a.stamp !== none.stamp) expect(merge(a, none)).toBe(a);
        expect(merge<Record>(none, a).stamp).toBe(a.stamp);
      }),
    );
  });

  it('ends in one record whatever the order and however often each arrives', () => {
    const arrivals = world.chain((records) =>
      fc.tuple(
        fc.shuffledSubarray(records, { minLength: records.length }),
        fc.shuffledSubarray([...records, ...records], { minLength: records.length * 2 }),
      ),
    );
    fc.assert(
      fc.property(arrivals, ([once, twice]) => {
        const outcome = (order: readonly Record[]) =>
          order.reduce<Record | undefined>((held, record) => merge(record, held), undefined);
        expect(outcome(twice)).toEqual(outcome(once));
      }),
    );
  });

  it('keeps the later stamp, whatever the kinds', () => {
    fc.assert(
      fc.property(two, ([a, b]) => {
        fc.pre(a.stamp !== b.stamp);
        expect(merge(a, b)).toBe(a.stamp > b.stamp ? a : b);
      }),
    );
  });

  it('of one write in two forms keeps the one with its value, at the position held', () => {
    fc.assert(
      fc.property(anyStamp, anyPosition, anyPosition, (stamp, here, there) => {
        const full = {
          kind: 'live',
          namespace,
          key,
          stamp,
          position: there,
          value: new Uint8Array(1),
          expiresAt: 7,
        } as const;
        const dropped: Record = { ...expireInPlace(full), position: here };
        expect(merge<Record>(full, dropped)).toEqual({ ...full, position: here });
        expect(merge<Record>(dropped, full)).toBe(full);
      }),
    );
  });
});
