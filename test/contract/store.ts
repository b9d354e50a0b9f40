import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMeridianError } from '../../src/model/errors.ts';
import type { RecordKey } from '../../src/model/key.ts';
import { headOf, type Record } from '../../src/model/record.ts';
import type { Snapshot, Store } from '../../src/store/store.ts';
import { live, logOne, logTwo, namespaceA, namespaceB, noise, sampleSeconds, tombstone } from './sample-records.ts';
import { storeDamage } from './store-damage.ts';
import { bytes, collect, commit, expectRecord, keysOf, metaText, withSnapshot } from './store-driver.ts';
import { storeViews } from './store-views.ts';

export interface StoreHarness {
  /** Opens the one store of this harness. After `close`, a second opening shows what was committed. */
  open(): Promise<Store>;
  /** The same store on a disk without room for values. */
  openFull(): Promise<Store>;
  /** Damages the record of that key on the disk of a store that is closed. */
  damage(key: RecordKey): Promise<void>;
  /** Takes away all that the store left; every store is closed by then. */
  remove(): Promise<void>;
}

/** What every `Store` does. Run it from a test file: `storeContract('memory', async () => ({ open, damage, remove }))`. */
export function storeContract(name: string, makeHarness: () => Promise<StoreHarness>): void {
  describe(`a store (${name})`, () => {
    let harness: StoreHarness;
    let store: Store;

    beforeEach(async () => {
      harness = await makeHarness();
      store = await harness.open();
    });

    afterEach(async () => {
      await store.close();
      await harness.remove();
    });

    const reopened = async () => {
      await store.close();
      store = await harness.open();
    };
    const logOf = (log = logOne, from = 0) => withSnapshot(store, (view) => collect(view.log(log, from)));
    const endedOf = (kind: 'live' | 'tombstone', through: number) =>
      withSnapshot(store, (view) => collect(view.ended(kind, through)));
    const all = (range = {}) => withSnapshot(store, (view) => collect(view.records(range)));
    const at = (key: string, namespace = namespaceA) => ({ namespace, key });

    describe('reads what was committed', () => {
      const samples: Record[] = [
        live({ key: 'plain', sequence: 1 }),
        live({ key: 'empty value', sequence: 2, value: '' }),
        live({ key: 'metadata', sequence: 3, metadata: '{"ü":"\u{1f600}"}' }),
        live({ key: 'empty metadata', sequence: 4, metadata: '' }),
        live({ key: 'expiring', sequence: 5, expiresAt: 253_402_300_799 }),
        live({ key: 'all of it', sequence: 6, metadata: '1', expiresAt: sampleSeconds, value: noise(4096, 6) }),
        live({ key: 'just too large to be beside its record', sequence: 7, value: noise(4097, 7) }),
        live({ key: 'large', sequence: 8, value: noise(1024 * 1024, 8), metadata: '[1]', expiresAt: sampleSeconds }),
        tombstone({ key: 'deleted', sequence: 9 }),
        tombstone({ key: 'expired', sequence: 10, expiresAt: sampleSeconds - 5 }),
        live({ key: '\0/\0', sequence: 11 }),
        live({ key: '\ufeff\ue000\u{10ffff}', sequence: 12 }),
        live({ key: 'k'.repeat(512), sequence: 13 }),
        live({ key: 'plain', namespace: namespaceB, sequence: 14 }),
        live({ key: 'written again', sequence: 2 ** 48 - 1, log: logTwo, stamp: live({ key: '', sequence: 3 }).stamp }),
      ];

      it('gives back every kind of record as it was written, also after it was closed and opened', async () => {
        await commit(store, { puts: samples, sync: true });
        for (const record of samples) expectRecord(await store.read(record), record);
        await reopened();
        for (const record of samples) expectRecord(await store.read(record), record);
      });

      it('reads small records on the spot, where it has such reads, and leaves to be awaited what takes longer', async () => {
        await commit(store, { puts: samples, sync: true });
        for (const record of samples) {
          const found = store.readNow?.(record);
          if (found !== undefined) expectRecord(found.record, record);
          const isSmall = record.kind === 'tombstone' || record.value.byteLength <= 4096;
          if (isSmall && store.readNow !== undefined) expect(found, record.key).toBeDefined();
        }
        if (store.readNow !== undefined) expect(store.readNow(at('nobody'))).toEqual({ record: undefined });
        await store.close();
        expect(store.readNow?.(at('plain'))).toBe(undefined);
        store = await harness.open();
      });

      it('tells heads without values, in the order asked for, and what is absent', async () => {
        await commit(store, { puts: samples });
        const asked = [at('nobody'), ...samples, at('plain', 'c'.repeat(32) as typeof namespaceA)];
        expect(await store.heads(asked)).toEqual([undefined, ...samples.map(headOf), undefined]);
        expect(await store.heads([])).toEqual([]);
      });

      it('tells the heads of thousands of keys at once', async () => {
        const puts = Array.from({ length: 3000 }, (_, i) => live({ key: `k${i}`, sequence: i + 1 }));
        await commit(store, { puts });
        expect(await store.heads(puts)).toEqual(puts.map(headOf));
      });

      it('keeps a value of 25 MiB', async () => {
        const record = live({ key: 'largest', sequence: 1, value: noise(25 * 1024 * 1024, 1) });
        await commit(store, { puts: [record], sync: true });
        await reopened();
        expectRecord(await store.read(record), record);
      });

      it('does not take one key for another where they share their beginnings or look like its own keys', async () => {
        const first = live({ key: 'a', sequence: 1, value: noise(5000, 1) });
        const puts = [
          first,
          live({ key: `a${first.stamp}`, sequence: 2, value: noise(6000, 2) }),
          live({ key: `a${first.stamp}0000`, sequence: 3, value: noise(7000, 3) }),
          live({ key: 'a\0', sequence: 4, value: noise(8000, 4) }),
          live({ key: 'a/', sequence: 5, value: noise(9000, 5) }),
        ];
        await commit(store, { puts });
        await commit(store, { removals: [first] });
        expect(await store.read(first)).toBeUndefined();
        for (const record of puts.slice(1)) expectRecord(await store.read(record), record);
      });
    });

    describe('commits', () => {
      it('replaces and removes records, whatever was held', async () => {
        const forms: Record[] = [
          live({ key: 'k', sequence: 1, value: noise(2_000_000, 1) }),
          live({ key: 'k', sequence: 2, value: noise(600_000, 2), expiresAt: sampleSeconds + 9 }),
          live({ key: 'k', sequence: 3 }),
          tombstone({ key: 'k', sequence: 4 }),
          live({ key: 'k', sequence: 5, value: noise(5000, 5) }),
        ];
        for (const record of forms) {
          await commit(store, { puts: [record] });
          expectRecord(await store.read(record), record);
        }
        await commit(store, { removals: [at('k')] });
        expect(await store.read(at('k'))).toBeUndefined();
        expect(await all()).toEqual([]);
      });

      it('takes puts, removals and named state of one batch together', async () => {
        await commit(store, { puts: [live({ key: 'old', sequence: 1 })], meta: { cursor: '1', gone: 'x' } });
        const put = live({ key: 'new', sequence: 2 });
        await commit(store, { puts: [put], removals: [at('old')], meta: { cursor: '2', gone: undefined }, sync: true });
        expect(keysOf(await all())).toEqual(['new']);
        expect(await metaText(store, 'cursor')).toBe('2');
        expect(await store.meta('gone')).toBeUndefined();
      });

      it('shows batches whole: every snapshot taken during commits sees all of a batch or nothing', async () => {
        const round = (n: number) => ['x', 'y', 'z'].map((key, i) => live({ key, sequence: n * 3 + i, value: `${n}` }));
        const seen: string[][] = [];
        for (let n = 1; n <= 40; n++) {
          const committed = commit(store, { puts: round(n), meta: { n: `${n}` } });
          const view = store.snapshot();
          const values = (await collect(view.records({}))).map((r) => (r.kind === 'live' ? r.valueBytes : 0));
          const read = await Promise.all(['x', 'y', 'z'].map((key) => view.read(at(key))));
          seen.push(read.map((r) => (r?.kind === 'live' ? new TextDecoder().decode(r.value) : 'none')));
          expect(values.length % 3).toBe(0);
          await view.close();
          await committed;
        }
        for (const values of seen) expect(new Set(values).size).toBe(1);
      });

      it('applies concurrent commits in the order of the calls', async () => {
        const versions = Array.from({ length: 50 }, (_, i) =>
          live({ key: 'k', sequence: i + 1, value: noise(i % 7 === 0 ? 300_000 : 10, i) }),
        );
        await Promise.all(
          versions.map((record, i) => {
            const before = versions[i - 1];
            const held = before === undefined ? undefined : headOf(before);
            const meta = new Map([['last', bytes(`${i}`)]]);
            return store.commit({ puts: [{ record, held }], removals: [], meta, sync: i % 5 === 0 });
          }),
        );
        expectRecord(await store.read(at('k')), versions.at(-1));
        expect(await metaText(store, 'last')).toBe('49');
        expect((await logOf()).map(({ position }) => position.sequence)).toEqual([50]);
      });

      it('takes an empty batch, synced or not', async () => {
        await commit(store, {});
        await commit(store, { sync: true });
        expect(await all()).toEqual([]);
      });

      it('never pairs a record with the value of another version while it is overwritten', async () => {
        const version = (n: number) => live({ key: 'k', sequence: n, value: noise(n % 2 === 0 ? 700_000 : 5000, n) });
        await commit(store, { puts: [version(1)] });
        let done = false;
        const reading = (async () => {
          let reads = 0;
          while (!done) {
            const found = await store.read(at('k'));
            expectRecord(found, version(found?.position.sequence ?? 0));
            reads++;
          }
          return reads;
        })();
        for (let n = 2; n <= 60; n++) await commit(store, { puts: [version(n)] });
        done = true;
        expect(await reading).toBeGreaterThan(0);
      });
    });

    describe('named state', () => {
      it('is set, replaced, emptied and deleted, under any name', async () => {
        await commit(store, { meta: { a: '1', 'a/b': '2', 'ä\0': '3', format: 'mine', '': 'nameless' } });
        await commit(store, { meta: { a: '', 'a/b': undefined } });
        await reopened();
        const found = await Promise.all(['a', 'a/b', 'ä\0', 'format', '', 'never'].map((n) => metaText(store, n)));
        expect(found).toEqual(['', undefined, '3', 'mine', 'nameless', undefined]);
        expect(await store.metaNames()).toEqual(['', 'a', 'format', 'ä\0']);
      });
    });

    storeViews({
      get store() {
        return store;
      },
    });

    storeDamage({
      get store() {
        return store;
      },
      damage: async (key) => {
        await store.close();
        await harness.damage(key);
        store = await harness.open();
      },
      reopen: async () => {
        await store.close();
        store = await harness.open();
      },
    });

    describe('on a full disk', () => {
      const kept = live({ key: 'kept', sequence: 1 });
      const more = live({ key: 'more', sequence: 2 });

      beforeEach(async () => {
        await commit(store, { puts: [kept], sync: true });
        await store.close();
        store = await harness.openFull();
      });

      it('refuses values before they are begun, and goes on reading, deleting and keeping state', async () => {
        await expect(commit(store, { puts: [more] })).rejects.toMatchObject({
          code: 'RESOURCE_EXHAUSTED',
          details: { reason: 'disk-full' },
        });
        expect(store.condition().full).toBe(true);
        expectRecord(await store.read(kept), kept);
        expect(keysOf(await all())).toEqual(['kept']);
        await commit(store, { puts: [tombstone({ key: 'kept', sequence: 3 })], meta: { a: '1' }, sync: true });
        expect((await store.read(kept))?.kind).toBe('tombstone');
        await commit(store, { removals: [kept] });
        expect(await all()).toEqual([]);
      });

      it('takes values again where there is room', async () => {
        await reopened();
        await commit(store, { puts: [more], sync: true });
        expectRecord(await store.read(more), more);
        expect(store.condition().full).toBe(false);
      });
    });

    describe('opens, closes, erases', () => {
      it('opens again by itself with all that was committed', async () => {
        const record = live({ key: 'k', sequence: 1, value: noise(10_000, 1) });
        await commit(store, { puts: [record], meta: { a: '1' }, sync: true });
        await store.reopen();
        expectRecord(await store.read(record), record);
        expect(await metaText(store, 'a')).toBe('1');
        await commit(store, { puts: [live({ key: 'k', sequence: 2 })] });
        expect(keysOf(await logOf())).toEqual(['k']);
      });

      it('erases every record and all named state, also for the next opening', async () => {
        const puts = Array.from({ length: 50 }, (_, i) =>
          live({ key: `k${i}`, sequence: i + 1, value: noise(i * 400, i), expiresAt: sampleSeconds }),
        );
        await commit(store, { puts: [...puts, tombstone({ key: 'dead', sequence: 90 })], meta: { a: '1', b: '2' } });
        await store.erase();
        for (const check of [async () => {}, reopened]) {
          await check();
          expect(await all()).toEqual([]);
          expect(await logOf()).toEqual([]);
          expect(await endedOf('live', sampleSeconds)).toEqual([]);
          expect(await endedOf('tombstone', sampleSeconds + 60)).toEqual([]);
          expect(await store.meta('a')).toBeUndefined();
          expect(await store.heads(puts.slice(0, 1))).toEqual([undefined]);
        }
        const again = live({ key: 'k1', sequence: 1 });
        await commit(store, { puts: [again], meta: { a: '3' } });
        expectRecord(await store.read(again), again);
        expect(await metaText(store, 'a')).toBe('3');
      });

      it('tells about how many bytes it takes', async () => {
        const puts = Array.from({ length: 20 }, (_, i) =>
          live({ key: `k${i}`, sequence: i + 1, value: noise(100_000, i) }),
        );
        await commit(store, { puts, sync: true });
        const size = await store.approximateBytes();
        expect(size).toBeGreaterThan(1_500_000);
        expect(size).toBeLessThan(12_000_000);
      });

      it('holds what it held while and after it gives back what a namespace took, and commits meanwhile', async () => {
        const kept = live({ key: 'k', sequence: 1, namespace: namespaceB });
        const gone = live({ key: 'k', sequence: 2, value: noise(600_000, 1) });
        await commit(store, { puts: [kept, gone] });
        await commit(store, { removals: [gone] });
        const later = live({ key: 'later', sequence: 3 });
        await Promise.all([store.reclaim(namespaceA), commit(store, { puts: [later] })]);
        expectRecord(await store.read(kept), kept);
        expectRecord(await store.read(later), later);
        expect(await store.read(gone)).toBeUndefined();
      });

      it('closes after what was asked of it before, twice if need be, and refuses everything then', async () => {
        const put = live({ key: 'k', sequence: 1 });
        const committed = store.commit({
          puts: [{ record: put, held: undefined }],
          removals: [],
          meta: new Map(),
          sync: true,
        });
        const view: Snapshot = store.snapshot();
        await store.close();
        await store.close();
        await committed;
        const refused = [
          () => store.read(put),
          () => store.heads([put]),
          () => store.meta('a'),
          () => commit(store, { meta: { a: '1' } }),
          () => store.erase(),
          () => store.reclaim(namespaceA),
          () => store.reopen(),
          () => view.read(put),
          async () => store.snapshot(),
        ];
        for (const ask of refused) {
          const error = await ask().then(
            () => 'no error',
            (thrown: unknown) => thrown,
          );
          expect(isMeridianError(error, 'UNAVAILABLE'), `${ask}: ${error}`).toBe(true);
        }
        await view.close();
        store = await harness.open();
        expectRecord(await store.read(put), put);
      });
    });
  });
}
