import { afterEach, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
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

it('a page with a damaged key that its upstream cannot be asked for is read again: it was of before the question', async () => {
  const origin = await chain.origin('o');
  const { id } = (await origin.create('ns', aCall())).namespace;
  await put(origin, 'k', 'v');
  const disk = new MemoryDisk();
  const deaf = new Proxy(origin as Upstream, {
    get: (node, name: keyof Upstream) => {
      if (name === 'follow') return node.follow.bind(node);
      return async () => {
        if (name === 'list') await covering(edge, (await put(origin, 'new', 'v')).covered);
        throw new MeridianError('UNAVAILABLE', 'it is deaf', { reason: 'deaf' });
      };
    },
  });
  const edge = await chain.edge('e', [deaf], { copyStore: disk.open(), replicate: ['*'] });
  await isLive(edge);
  await covering(edge, (await put(origin, 'last', 'v')).covered);
  disk.damageNow({ namespace: id, key: 'k' });
  const page = await edge.list({ namespace: 'ns', prefix: '', limit: 10, session: emptySession }, aCall());
  expect(page.keys.map(({ key, damaged }) => [key, damaged])).toEqual([
    ['k', true],
    ['last', undefined],
    ['new', undefined],
  ]);
});

it('a page is of unknown age, and past, where the machine has slept since it was asked for, or looked up', async () => {
  const origin = await chain.origin('o');
  await origin.create('ns', aCall());
  const { covered } = await put(origin, 'k', 'v');
  let sleptMs = 0;
  const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + sleptMs };
  const asleep = new Proxy(origin as Upstream, {
    get: (node, name: keyof Upstream) => {
      if (name !== 'list') return (node[name] as () => unknown).bind(node);
      return (...asked: Parameters<Upstream['list']>) => {
        sleptMs += 3_600_000;
        return node.list(...asked);
      };
    },
  });
  const request = { namespace: 'ns', prefix: '', limit: 10, session: emptySession, maxStalenessMs: 10_000 };
  const cache = await chain.edge('c', [asleep], { clock });
  const asked = await cache.list(request, aCall());
  expect([asked.source, asked.past, asked.bound]).toEqual(['origin', true, undefined]);
  sleptMs = 0;
  const store = new MemoryDisk().open();
  const snapshot = store.snapshot.bind(store);
  const copyStore = Object.assign(store, {
    snapshot: () => {
      const view = snapshot();
      const records = view.records.bind(view);
      return Object.assign(view, {
        records: async function* (...range: Parameters<Snapshot['records']>) {
          if (range[0]?.prefix !== undefined) sleptMs += 3_600_000;
          yield* records(...range);
        },
      });
    },
  });
  const copy = await chain.edge('e', [origin], { clock, copyStore, replicate: ['*'] });
  await isLive(copy);
  await covering(copy, covered);
  const looked = await copy.list(request, aCall());
  expect([looked.source, looked.past, looked.bound]).toEqual(['copy', true, undefined]);
});
