import { afterEach, describe, expect, it } from 'vitest';
import type { Edge } from '../../src/edge/edge.ts';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import { noHits } from '../../src/model/hit-counts.ts';
import type { GetRequest } from '../../src/model/key-value.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { promisesIn } from '../support/promises-in.ts';
import { aCall, Cable, Chain, isLive } from './chain.ts';

let chain: Chain;

afterEach(() => chain.close());

const get = (key: string, wishes: Partial<GetRequest> = {}): GetRequest => ({
  namespace: 'books',
  key,
  session: emptySession,
  ...wishes,
});

async function edgeOver(replicate: readonly string[]) {
  chain = new Chain();
  const origin = await chain.origin('o');
  await origin.create('books');
  const value = Buffer.from('value');
  const mutations = ['k', 'l'].map((key) => ({ kind: 'put' as const, key, value }));
  await origin.write({ namespace: 'books', session: emptySession, mutations }, aCall());
  const cable = new Cable(origin);
  const hits = { copy: noHits(), cache: noHits() };
  const edge = await chain.edge('e', [cable.upstream], { replicate, edgeObserver: { ...silentEdgeObserver, hits } });
  await isLive(edge);
  return { origin, edge, cable, hits };
}

async function warmed(node: Upstream | Edge, key = 'k'): Promise<void> {
  await node.get(get(key), aCall());
}

for (const [kind, replicate] of [
  ['copy', ['*']],
  ['cache', []],
] as const) {
  describe(`a hit of a ${kind}`, () => {
    it('is answered at once, without a promise, and counted', async () => {
      const { edge, hits } = await edgeOver(replicate);
      // A copy has it on its disk.
      if (kind === 'cache') expect(edge.peek(get('k'))).toBeUndefined();
      await warmed(edge);
      const again = await edge.get(get('k'), aCall());
      const promises = promisesIn(() => {
        for (let i = 0; i < 1000; i++) edge.peek(get('k'));
      });
      expect(promises).toBe(0);
      expect(hits[kind]).toEqual({ found: 1000, absent: 0 });
      const { bound: _, ...hit } = edge.peek(get('k')) ?? {};
      const { bound: __, ...slow } = again;
      expect(hit).toEqual(slow);
    });

    it('shows an absence as one', async () => {
      const { edge, hits } = await edgeOver(replicate);
      await warmed(edge, 'never');
      expect(edge.peek(get('never'))).toMatchObject({ record: undefined, source: kind });
      expect(hits[kind]).toEqual({ found: 0, absent: 1 });
    });

    it('shows what the feed brought, and nothing older', async () => {
      const { origin, edge } = await edgeOver(replicate);
      await warmed(edge);
      const put = { kind: 'put' as const, key: 'k', value: Buffer.from('later') };
      const { session } = await origin.write({ namespace: 'books', session: emptySession, mutations: [put] }, aCall());
      // Until the feed has come, a hit would break the session; then it is one.
      let hit = edge.peek(get('k', { session }));
      while (hit === undefined) {
        await new Promise((resolve) => setImmediate(resolve));
        hit = edge.peek(get('k', { session }));
      }
      expect(hit.record).toMatchObject({ kind: 'live', value: put.value });
    });

    it('is none for who asks the origin, or accepts less than is proven, or in an unknown namespace', async () => {
      const { edge } = await edgeOver(replicate);
      await warmed(edge);
      expect(edge.peek(get('k', { atOrigin: true }))).toBeUndefined();
      expect(edge.peek(get('k', { maxStalenessMs: 0 }))).toBeUndefined();
      expect(edge.peek(get('k', { maxStalenessMs: 0.000_1 }))).toBeUndefined();
      expect(edge.peek(get('k', { namespace: 'unknown' }))).toBeUndefined();
      expect(edge.peek(get(''))).toBeUndefined();
    });

    it('is none of a namespace that was deleted', async () => {
      const { origin, edge } = await edgeOver(replicate);
      await warmed(edge);
      await origin.remove('books');
      while (edge.peek(get('k')) !== undefined) await new Promise((resolve) => setImmediate(resolve));
      await expect(edge.get(get('k'), aCall())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
}

describe('a value that was superseded', () => {
  it('is no hit, though a cache keeps it for when its upstream is away', async () => {
    const { origin, edge } = await edgeOver([]);
    for (const key of ['k', 'l']) await warmed(edge, key);
    expect(edge.peek(get('k'))).toBeDefined();
    // Too large to come with the feed: it is announced.
    const put = { kind: 'put' as const, key: 'k', value: Buffer.alloc(5000) };
    const { session } = await origin.write({ namespace: 'books', session: emptySession, mutations: [put] }, aCall());
    while (edge.peek(get('l', { session })) === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(edge.peek(get('k'))).toBeUndefined();
    expect((await edge.get(get('k'), aCall())).record).toMatchObject({ value: put.value });
  });
});

describe('a hit of an origin', () => {
  it('is answered at once, without a promise, and shows each write as soon as it is acknowledged', async () => {
    const { origin } = await edgeOver(['*']);
    expect(promisesIn(() => void origin.peek(get('k')))).toBe(0);
    for (const text of ['1', '2', '3']) {
      const put = { kind: 'put' as const, key: 'k', value: Buffer.from(text) };
      await origin.write({ namespace: 'books', session: emptySession, mutations: [put] }, aCall());
      expect(origin.peek(get('k'))?.record).toMatchObject({ value: put.value });
    }
    await origin.write(
      { namespace: 'books', session: emptySession, mutations: [{ kind: 'delete', key: 'k' }] },
      aCall(),
    );
    expect(origin.peek(get('k'))?.record).toMatchObject({ kind: 'tombstone' });
  });
});

describe('a look at the disk on the spot', () => {
  it('refuses nothing and answers nothing of what is no key of anybody', async () => {
    const { origin, edge } = await edgeOver(['*']);
    for (const node of [origin, edge]) {
      for (const key of ['', '.', 'k'.repeat(513), '\ud800']) expect(node.peek(get(key))).toBeUndefined();
      expect(node.peek(get('k', { namespace: registryNamespace }))).toBeUndefined();
      expect(node.peek(get('k'.repeat(512)))).toMatchObject({ record: undefined });
    }
  });
});

describe('reads of a missing key', () => {
  it('share one load, and need none once its absence is known', async () => {
    const { edge, cable } = await edgeOver([]);
    const before = cable.called.filter((name) => name === 'get').length;
    await Promise.all(Array.from({ length: 100 }, () => edge.get(get('missing'), aCall())));
    for (let i = 0; i < 100; i++) expect(edge.peek(get('missing'))).toBeDefined();
    expect(cable.called.filter((name) => name === 'get')).toHaveLength(before + 1);
  });
});
