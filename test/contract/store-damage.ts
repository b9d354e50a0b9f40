import { beforeEach, describe, expect, it } from 'vitest';
import type { RecordKey } from '../../src/model/key.ts';
import { headOf } from '../../src/model/record.ts';
import type { Damaged, Store } from '../../src/store/store.ts';
import { live, logOne, namespaceA, noise, sampleSeconds, tombstone } from './sample-records.ts';
import { collect, commit, expectRecord, keysOf, withSnapshot } from './store-driver.ts';

/** The part of a store's contract that is about records that cannot be read; `storeContract` runs it with the rest. */
export function storeDamage(test: {
  readonly store: Store;
  damage(key: RecordKey): Promise<void>;
  reopen(): Promise<void>;
}): void {
  const at = (key: string) => ({ namespace: namespaceA, key });
  const records = ['a', 'b', 'c', 'd'].map((key, i) =>
    live({ key, sequence: i + 1, value: noise(key === 'b' ? 9000 : 20, i), expiresAt: sampleSeconds + i }),
  );

  /** What each way of reading all shows, and what it tells to be damaged. */
  async function scans(): Promise<Array<{ readonly shown: string[]; readonly damaged: string[] }>> {
    const told: Damaged[][] = [[], [], []];
    const heads = await test.store.heads(records, (found) => told[0]?.push(found));
    return withSnapshot(test.store, async (view) => {
      const inOrder = await collect(view.records({}, (found) => told[1]?.push(found)));
      const logged = await collect(view.log(logOne, 0, (found) => told[2]?.push(found)));
      const shown = [heads.filter((head) => head !== undefined), inOrder, logged];
      return shown.map((list, index) => ({ shown: keysOf(list).sort(), damaged: keysOf(told[index] ?? []) }));
    });
  }

  describe('contains damage to its record', () => {
    beforeEach(async () => {
      await commit(test.store, { puts: records, sync: true });
      await test.damage(at('b'));
    });

    it('which is not told on the spot, neither as a value nor as an absence', async () => {
      expect(test.store.readNow?.(at('b'))).toBe(undefined);
      await expect(test.store.read(at('b'))).rejects.toMatchObject({ code: 'DATA_LOSS' });
      expect(test.store.readNow?.(at('b'))).toBe(undefined);
      for (const record of records.filter(({ key }) => key !== 'b')) {
        const found = test.store.readNow?.(record);
        if (found !== undefined) expectRecord(found.record, record);
      }
    });

    it('which says DATA_LOSS, while every other record reads', async () => {
      await expect(test.store.read(at('b'))).rejects.toMatchObject({ code: 'DATA_LOSS' });
      await expect(withSnapshot(test.store, (view) => view.read(at('b')))).rejects.toMatchObject({ code: 'DATA_LOSS' });
      for (const record of records.filter(({ key }) => key !== 'b'))
        expectRecord(await test.store.read(record), record);
    });

    it('which ends whatever reads past it without asking to be told', async () => {
      await expect(test.store.heads(records)).rejects.toMatchObject({ code: 'DATA_LOSS' });
      for (const scan of ['records', 'log'] as const) {
        const read = withSnapshot(test.store, (view) =>
          collect(scan === 'log' ? view.log(logOne, 0) : view.records({})),
        );
        await expect(read).rejects.toMatchObject({ code: 'DATA_LOSS' });
      }
    });

    it('which is told of, while heads and scans show all others', async () => {
      for (const scan of await scans()) expect(scan).toEqual({ shown: ['a', 'c', 'd'], damaged: ['b'] });
      const ended = await withSnapshot(test.store, (view) => collect(view.ended('live', sampleSeconds + 60)));
      expect(keysOf(ended)).toEqual(['a', 'c', 'd']);
      expect(test.store.condition().damagedRecords).toBe(1);
    });

    it.each([
      ['written', live({ key: 'b', sequence: 9 })],
      ['deleted', tombstone({ key: 'b', sequence: 9 })],
    ])('which is healed where it is %s', async (_how, record) => {
      const [held] = await test.store.heads([record], () => {});
      await test.store.commit({ puts: [{ record, held }], removals: [], meta: new Map(), sync: true });
      expectRecord(await test.store.read(record), record);
      for (const scan of await scans()) expect(scan).toEqual({ shown: ['a', 'b', 'c', 'd'], damaged: [] });
      expect(await test.store.heads([record])).toEqual([headOf(record)]);
      expect(test.store.condition().damagedRecords).toBe(0);
    });

    it('which is gone with all else where everything is erased', async () => {
      await test.store.erase();
      expect(await test.store.read(at('b'))).toBeUndefined();
      expect([test.store.condition().damagedRecords, test.store.damaged()]).toEqual([0, []]);
      for (const scan of await scans()) expect(scan).toEqual({ shown: [], damaged: [] });
    });

    it('which goes without a trace where it is discarded', async () => {
      await test.store.commit({ puts: [], removals: [], discards: [at('b')], meta: new Map(), sync: true });
      expect(await test.store.read(at('b'))).toBeUndefined();
      for (const scan of await scans()) expect(scan).toEqual({ shown: ['a', 'c', 'd'], damaged: [] });
    });
  });

  describe('keeps what is lost elsewhere as damaged', () => {
    const lose = async (key: string, sequence: number) => {
      const [held] = await test.store.heads([at(key)], () => {});
      const lost = [{ ...at(key), position: { log: logOne, sequence }, held }];
      await test.store.commit({ puts: [], removals: [], lost, meta: new Map(), sync: true });
    };

    beforeEach(async () => {
      await commit(test.store, { puts: records, sync: true });
    });

    it.each([
      ['held', 'a'],
      ['held with a large value', 'b'],
      ['not held', 'e'],
    ])('where its key was %s', async (_how, key) => {
      await lose(key, 9);
      const sound = keysOf(records).filter((each) => each !== key);
      const check = async () => {
        await expect(test.store.read(at(key))).rejects.toMatchObject({ code: 'DATA_LOSS' });
        for (const scan of await scans()) expect(scan.shown).toEqual(sound);
        const [, inOrder, logged] = await scans();
        expect([inOrder?.damaged, logged?.damaged]).toEqual([[key], [key]]);
        expect(test.store.damaged()).toEqual([{ ...at(key), position: { log: logOne, sequence: 9 } }]);
        const ended = await withSnapshot(test.store, (view) => collect(view.ended('live', sampleSeconds + 60)));
        expect(keysOf(ended)).toEqual(sound);
      };
      await check();
      await test.reopen();
      await check();
    });

    it('where it was damaged already, and leaves one entry in the log', async () => {
      await test.damage(at('b'));
      await lose('b', 9);
      await lose('b', 10);
      expect(test.store.damaged()).toEqual([{ ...at('b'), position: { log: logOne, sequence: 10 } }]);
      expect((await scans())[2]).toEqual({ shown: ['a', 'c', 'd'], damaged: ['b'] });
    });

    it('until it is written, or discarded', async () => {
      await lose('b', 9);
      await lose('c', 10);
      const record = live({ key: 'b', sequence: 11 });
      await test.store.commit({
        puts: [{ record, held: undefined }],
        removals: [],
        discards: [at('c')],
        meta: new Map(),
        sync: true,
      });
      await test.reopen();
      expectRecord(await test.store.read(record), record);
      expect(await test.store.read(at('c'))).toBeUndefined();
      for (const scan of await scans()) expect(scan).toEqual({ shown: ['a', 'b', 'd'], damaged: [] });
      expect(test.store.condition().damagedRecords).toBe(0);
    });
  });
}
