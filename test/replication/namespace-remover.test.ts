import { afterEach, expect, it } from 'vitest';
import type { NamespaceId } from '../../src/model/namespace.ts';
import { emptySession } from '../../src/model/session.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { Chain } from '../edge/chain.ts';
import { OriginDisks } from '../support/memory-origin-stores.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const chain = new Chain();
afterEach(() => chain.close());

it('a deleted namespace is given back to the disk once its last record is removed', async () => {
  const store = new MemoryDisk().open();
  const reclaimed: Array<{ readonly id: NamespaceId; readonly bytes: number }> = [];
  const reclaim = async (id: NamespaceId) => {
    reclaimed.push({ id, bytes: await store.approximateBytes() });
  };
  const stores = await new OriginDisks().open(() => Object.assign(store, { reclaim }));
  const origin = await chain.origin('o', { stores, garbageIntervalMs: 5 });
  const call = { deadlineMs: systemClock.monotonicMs() + 20_000, signal: new AbortController().signal };
  const { id } = (await origin.create('books', call)).namespace;
  const value = Buffer.alloc(100_000);
  await origin.write({ namespace: id, session: emptySession, mutations: [{ kind: 'put', key: 'k', value }] }, call);
  await origin.remove(id, call);
  await expect.poll(() => reclaimed.length, { timeout: 20_000 }).toBe(1);
  expect(reclaimed[0]?.id).toBe(id);
  expect(reclaimed[0]?.bytes).toBeLessThan(value.length);
});
