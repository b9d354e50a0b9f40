import { afterEach, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import type { CommitBatch } from '../../src/store/store.ts';
import { aCall, Chain, put, until } from '../edge/chain.ts';
import { OriginDisks } from '../support/memory-origin-stores.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const chain = new Chain();
afterEach(() => chain.close());

it('purges deletions of keys that look like those of the registry, and commits nothing once all is purged', async () => {
  const disk = new MemoryDisk();
  const stores = await new OriginDisks().open(() => disk.open());
  const { store } = stores;
  let [commits, rounds] = [0, 0];
  const observer = { ...silentReplicationObserver, purgeWaits: () => rounds++ };
  const commit = store.commit.bind(store);
  Object.assign(store, {
    commit: (batch: CommitBatch) => {
      commits++;
      return commit(batch);
    },
  });
  const origin = await chain.origin('o', { stores, observer, garbageIntervalMs: 5, tombstoneRetentionMs: 1000 });
  await origin.create('ns', aCall());
  const keys = ['namespace/42', `namespace/${'a'.repeat(32)}`, 'title/42', 'home/42'];
  for (const key of keys) await put(origin, key, 'v');
  const mutations = keys.map((key) => ({ kind: 'delete' as const, key }));
  await origin.write({ namespace: 'ns', mutations, session: emptySession }, aCall());
  const { id } = await origin.find('ns');
  const held = () => disk.visible.records.size;
  const before = held();
  await until(() => held() === before - keys.length);
  for (const key of keys) expect((await store.heads([{ namespace: id, key }]))[0]).toBeUndefined();
  const [quiet, looked] = [commits, rounds];
  await until(() => rounds > looked + 3);
  expect(commits).toBe(quiet);
});
