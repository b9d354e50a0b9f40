import { afterEach, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import type { CommitBatch } from '../../src/store/store.ts';
import { aCall, Chain, put, until } from '../edge/chain.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const chain = new Chain();
afterEach(() => chain.close());

it('purges deletions of keys that look like those of the registry, and commits nothing once all is purged', async () => {
  const disk = new MemoryDisk();
  const store = disk.open();
  let commits = 0;
  const commit = store.commit.bind(store);
  Object.assign(store, {
    commit: (batch: CommitBatch) => {
      commits++;
      return commit(batch);
    },
  });
  const origin = await chain.origin('o', { store, garbageIntervalMs: 5, tombstoneRetentionMs: 1000 });
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
  const settled = commits;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(commits).toBe(settled);
});
