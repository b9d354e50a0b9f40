import { beforeEach, describe, expect, it } from 'vitest';
import { expireInPlace, headOf } from '../../src/model/record.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import type { Store } from '../../src/store/store.ts';
import { live, logOne, logTwo, namespaceA, namespaceB, noise, sampleSeconds, tombstone } from './sample-records.ts';
import { collect, commit, expectRecord, headWithoutValue, keysOf, withSnapshot } from './store-driver.ts';

/** The part of a store's contract that is about iterations and snapshots; `storeContract` runs it with the rest. */
export function storeViews(test: { readonly store: Store }): void {
  let store: Store;

  beforeEach(() => {
    store = test.store;
  });

  const logOf = (log = logOne, from = 0) => withSnapshot(store, (view) => collect(view.log(log, from)));
  const endedOf = (kind: 'live' | 'tombstone', through: number) =>
    withSnapshot(store, (view) => collect(view.ended(kind, through)));
  const all = (range = {}) => withSnapshot(store, (view) => collect(view.records(range)));
  const at = (key: string, namespace = namespaceA) => ({ namespace, key });

  describe('iterates in record order', () => {
    // UTF-16 order would put the last two the other way round.
    const ordered = [
      '\0',
      '!',
      'a',
      'a\0',
      'a/',
      'aa',
      'b',
      'b\u{10ffff}',
      'b\u{10ffff}x',
      'c',
      'é',
      '\uffff',
      '\u{10000}',
    ];

    beforeEach(async () => {
      const keys = [...ordered].reverse();
      const puts = keys.map((key, i) => live({ key, sequence: i + 1 }));
      await commit(store, { puts: [...puts, live({ key: 'a', namespace: namespaceB, sequence: 99 })] });
    });

    it('by the UTF-8 bytes of keys, namespace by namespace', async () => {
      expect(keysOf(await all())).toEqual([...ordered, 'a']);
      expect(keysOf(await all({ namespace: namespaceA }))).toEqual(ordered);
      expect(keysOf(await all({ namespace: namespaceB }))).toEqual(['a']);
      expect(await all({ namespace: 'c'.repeat(32) })).toEqual([]);
    });

    it('within a prefix, also one that ends with the last character there is', async () => {
      const within = (prefix: string) => all({ namespace: namespaceA, prefix }).then(keysOf);
      expect(await within('a')).toEqual(['a', 'a\0', 'a/', 'aa']);
      expect(await within('b\u{10ffff}')).toEqual(['b\u{10ffff}', 'b\u{10ffff}x']);
      expect(await within('\uffff')).toEqual(['\uffff']);
      expect(await within('nothing')).toEqual([]);
    });

    it('behind a key, held or not, within the prefix or outside it', async () => {
      const behind = (key: string, prefix = '', namespace = namespaceA) =>
        all({ namespace, prefix, after: at(key) }).then(keysOf);
      expect(await behind('aa')).toEqual(ordered.slice(6));
      expect(await behind('a.')).toEqual(ordered.slice(4));
      expect(await behind('a', 'a')).toEqual(['a\0', 'a/', 'aa']);
      expect(await behind('!', 'a')).toEqual(['a', 'a\0', 'a/', 'aa']);
      expect(await behind('b', 'a')).toEqual([]);
      expect(await behind('z', '', namespaceB)).toEqual(['a']);
      expect(keysOf(await all({ after: at('é') }))).toEqual(['\uffff', '\u{10000}', 'a']);
    });

    it('in pages of so many records, with each value where it is small, and with heads alone where it is not', async () => {
      await commit(store, { puts: [live({ key: 'ab', sequence: 50, value: noise(2_000_000, 1) })] });
      const found = await all({ namespace: namespaceA, prefix: 'a' });
      const large = found.find(({ key }) => key === 'ab');
      expect(large).toMatchObject({ kind: 'live', valueBytes: 2_000_000 });
      expect(large).not.toHaveProperty('value');
      for (const stored of found.filter(({ key }) => key !== 'ab')) {
        const record = await store.read(stored);
        expect(headWithoutValue(stored)).toEqual(record && headOf(record));
        if (stored.kind === 'live' && stored.value !== undefined && record?.kind === 'live') {
          expect(Buffer.compare(stored.value, record.value)).toBe(0);
        }
      }
      const sizes: number[] = [];
      const view = store.snapshot();
      for await (const page of view.records({ pageRecordsMax: 3 })) sizes.push(page.length);
      await view.close();
      expect(Math.max(...sizes)).toBeLessThanOrEqual(3);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(ordered.length + 2);
    });
  });

  describe('bounds its pages in bytes', () => {
    it('in every iteration', async () => {
      const puts = Array.from({ length: 400 }, (_, i) =>
        live({ key: `k${i}`, sequence: i + 1, value: noise(4000, i) }),
      );
      await commit(store, { puts });
      const view = store.snapshot();
      for (const pages of [view.records({ pageRecordsMax: 1000 }), view.log(logOne, 1)]) {
        let count = 0;
        for await (const page of pages) {
          count += page.length;
          const held = page.reduce((sum, r) => sum + (r.kind === 'live' ? (r.value?.byteLength ?? 0) : 0), 0);
          expect(held).toBeLessThan(512 * 1024);
        }
        expect(count).toBe(400);
      }
      await view.close();
    });
  });

  describe('keeps the log as an index', () => {
    it('in which each record stands once, at the position of its latest write', async () => {
      const keys = ['a', 'b', 'c'];
      for (let n = 0; n < 12; n++) {
        const key = keys[n % 3] ?? '';
        await commit(store, {
          puts: [n % 4 === 3 ? tombstone({ key, sequence: n + 1 }) : live({ key, sequence: n + 1 })],
        });
      }
      expect((await logOf()).map((r) => [r.position.sequence, r.key])).toEqual([
        [10, 'a'],
        [11, 'b'],
        [12, 'c'],
      ]);
      await commit(store, { removals: [at('b')] });
      expect(keysOf(await logOf())).toEqual(['a', 'c']);
    });

    it('by log, from a sequence on, in the order of sequences', async () => {
      const sequences = [300, 2, 65_536, 255, 256, 1, 2 ** 40];
      const puts = sequences.map((sequence) => live({ key: `k${sequence}`, sequence }));
      await commit(store, { puts: [...puts, live({ key: 'other', sequence: 7, log: logTwo })] });
      const sorted = [...sequences].sort((a, b) => a - b);
      expect((await logOf()).map(({ position }) => position.sequence)).toEqual(sorted);
      expect((await logOf(logOne, 256)).map(({ position }) => position.sequence)).toEqual(sorted.slice(3));
      expect((await logOf(logOne, 257)).map(({ position }) => position.sequence)).toEqual(sorted.slice(4));
      expect(keysOf(await logOf(logTwo, 0))).toEqual(['other']);
      expect(await logOf('3'.repeat(16) as typeof logOne)).toEqual([]);
    });

    it('and tells which logs hold a record', async () => {
      const logs = () => withSnapshot(store, (view) => view.logs());
      expect(await logs()).toEqual([]);
      await commit(store, {
        puts: [live({ key: 'a', sequence: 1 }), live({ key: 'b', sequence: 9, log: logTwo })],
      });
      expect(await logs()).toEqual([logOne, logTwo]);
      await commit(store, { puts: [live({ key: 'a', sequence: 10, log: logTwo })] });
      expect(await logs()).toEqual([logTwo]);
    });

    it('also where a position passes from one key to another in one batch', async () => {
      await commit(store, { puts: [live({ key: 'a', sequence: 1 }), live({ key: 'b', sequence: 2 })] });
      await commit(store, { puts: [live({ key: 'b', sequence: 1 }), live({ key: 'a', sequence: 2 })] });
      expect((await logOf()).map((r) => r.key)).toEqual(['b', 'a']);
    });

    it('with the same values beside its records as the scan in record order', async () => {
      const puts = Array.from({ length: 300 }, (_, i) =>
        live({ key: `k${(i * 37) % 300}`, sequence: i + 1, metadata: `${i}` }),
      );
      await commit(store, { puts });
      const byKey = new Map((await all()).map((stored) => [stored.key, stored]));
      const logged = await logOf();
      expect(logged).toHaveLength(300);
      for (const stored of logged) expect(stored).toEqual(byKey.get(stored.key));
    });
  });

  describe('finds what ended', () => {
    const second = sampleSeconds;

    it('live records by their expiry, oldest first, up to and with the second asked for', async () => {
      const puts = [30, 10, 20].map((s, i) => live({ key: `at ${s}`, sequence: i + 1, expiresAt: second + s }));
      await commit(store, { puts: [...puts, live({ key: 'for ever', sequence: 9 })] });
      expect(keysOf(await endedOf('live', second + 9))).toEqual([]);
      expect(keysOf(await endedOf('live', second + 20))).toEqual(['at 10', 'at 20']);
      expect(keysOf(await endedOf('live', Number.MAX_SAFE_INTEGER))).toEqual(['at 10', 'at 20', 'at 30']);
      expect(await endedOf('live', -1)).toEqual([]);
      expect(await endedOf('tombstone', Number.MAX_SAFE_INTEGER)).toEqual([]);
    });

    it('tombstones by the later of stamp and expiry, rounded up', async () => {
      const puts = [
        tombstone({ key: 'deleted', sequence: 8 }), // one millisecond into the second
        tombstone({ key: 'expired long ago', sequence: 0, expiresAt: second - 100 }),
        tombstone({ key: 'expired later', sequence: 1, expiresAt: second + 50 }),
      ];
      const absence = { ...tombstone({ key: 'absent, as nobody wrote it', sequence: 0 }), stamp: bottomStamp };
      await commit(store, { puts: [...puts, absence] });
      expect(keysOf(await endedOf('tombstone', second - 1))).toEqual([]);
      expect(keysOf(await endedOf('tombstone', second))).toEqual(['expired long ago']);
      expect(keysOf(await endedOf('tombstone', second + 1))).toEqual(['expired long ago', 'deleted']);
      expect(keysOf(await endedOf('tombstone', second + 50))).toContain('expired later');
    });

    it('where it is now, after a record changed, expired in place, or went', async () => {
      const first = live({ key: 'k', sequence: 1, expiresAt: second + 5, value: noise(600_000, 1) });
      await commit(store, { puts: [first] });
      const moved = live({ key: 'k', sequence: 2, expiresAt: second + 7, value: noise(600_000, 2) });
      await commit(store, { puts: [moved] });
      expect((await endedOf('live', second + 60)).map((head) => head.stamp)).toEqual([moved.stamp]);
      await commit(store, { puts: [expireInPlace(moved)] });
      expect(await endedOf('live', second + 60)).toEqual([]);
      expect(await endedOf('tombstone', second + 60)).toEqual([expireInPlace(moved)]);
      expect((await logOf()).map(({ position }) => position.sequence)).toEqual([2]);
      await commit(store, { puts: [live({ key: 'k', sequence: 3 })] });
      expect(await endedOf('tombstone', second + 60)).toEqual([]);
      await commit(store, { puts: [tombstone({ key: 'k', sequence: 4 })] });
      await commit(store, { removals: [at('k')] });
      expect(await endedOf('tombstone', second + 60)).toEqual([]);
    });
  });

  describe('takes snapshots', () => {
    const large = (n: number) => live({ key: `k${n % 10}`, sequence: n, value: noise(n % 3 === 0 ? 900_000 : 20, n) });

    it('that show one state for as long as they live, whatever is committed or erased meanwhile', async () => {
      const before = Array.from({ length: 10 }, (_, i) => large(i + 1));
      await commit(store, { puts: before });
      const view = store.snapshot();
      await commit(store, {
        puts: Array.from({ length: 8 }, (_, i) => large(i + 101)),
        removals: [at('k9'), at('k0')],
      });
      await store.erase();
      for (const record of before) expectRecord(await view.read(record), record);
      expect((await collect(view.records({}))).length).toBe(10);
      expect((await collect(view.log(logOne, 1))).map((r) => r.position.sequence)).toEqual(before.map((_, i) => i + 1));
      await view.close();
      expect(await all()).toEqual([]);
    });

    it('that hold every batch whose commit has resolved', async () => {
      for (let n = 1; n <= 20; n++) {
        await commit(store, { puts: [live({ key: 'k', sequence: n })] });
        expect((await withSnapshot(store, (view) => view.read(at('k'))))?.position.sequence).toBe(n);
      }
    });

    it('that go on while the iteration is slow and left early', async () => {
      const puts = Array.from({ length: 30 }, (_, i) => live({ key: `k${10 + i}`, sequence: i + 1 }));
      await commit(store, { puts });
      const view = store.snapshot();
      const seen: string[] = [];
      for await (const page of view.records({ pageRecordsMax: 4 })) {
        seen.push(...keysOf(page));
        await commit(store, { removals: page });
        if (seen.length >= 12) break;
      }
      expect(seen).toEqual(puts.slice(0, seen.length).map(({ key }) => key));
      expect((await collect(view.records({}))).length).toBe(30);
      await view.close();
    });

    it('that refuse once they are closed, and end their iterations with an error', async () => {
      const puts = Array.from({ length: 30 }, (_, i) => live({ key: `k${10 + i}`, sequence: i + 1 }));
      await commit(store, { puts });
      const view = store.snapshot();
      const pages = view.records({ pageRecordsMax: 2 })[Symbol.asyncIterator]();
      await pages.next();
      await view.close();
      await view.close();
      await expect(drain(pages)).rejects.toThrow();
      await expect(view.read(at('k10'))).rejects.toThrow();
      await expect(collect(view.log(logOne, 1))).rejects.toThrow();
    });
  });
}

async function drain(pages: AsyncIterator<unknown>): Promise<void> {
  while ((await pages.next()).done !== true);
}
