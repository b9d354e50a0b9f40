import { afterEach, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import type { Snapshot } from '../../src/store/store.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { aCall, Chain, covering, isLive, put } from './chain.ts';

const chain = new Chain();
afterEach(() => chain.close());

it('a page that takes long to read is as old as that, and past where it was to be younger', async () => {
  const origin = await chain.origin('o');
  await origin.create('ns', aCall());
  const { covered } = await put(origin, 'k', 'v');
  let pageMs = 0;
  const store = new MemoryDisk().open();
  const snapshot = store.snapshot.bind(store);
  const slowly = (fast: Snapshot): Snapshot => {
    const records = fast.records.bind(fast);
    return Object.assign(fast, {
      records: async function* (...range: Parameters<Snapshot['records']>) {
        await new Promise((resolve) => setTimeout(resolve, pageMs));
        yield* records(...range);
      },
    });
  };
  const copyStore = Object.assign(store, { snapshot: () => slowly(snapshot()) });
  const edge = await chain.edge('e', [origin], { copyStore, replicate: ['ns'] });
  await isLive(edge);
  await covering(edge, covered);
  pageMs = 1200;
  const request = { namespace: 'ns', prefix: '', limit: 10, session: emptySession, maxStalenessMs: 1000 };
  const page = await edge.list(request, aCall());
  expect(page).toMatchObject({ source: 'copy', past: true });
  expect(page.bound?.boundMs).toBeGreaterThan(1000);
});
