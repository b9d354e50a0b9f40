import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeedEvent, FollowOpen } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import { emptySession, sessionAfterRecord } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { aCall, Cable, Chain, covering, get, isLive, put, textOf, until } from './chain.ts';

let chain: Chain;
let origin: Origin;

const open: FollowOpen = {
  protocol: 2,
  node: { name: 'follower', role: 'edge', id: 'f'.repeat(16), region: 'here' },
  nonce: 'nonce-of-test',
  role: 'copy',
  filter: everything,
  values: { kind: 'all' },
  start: { kind: 'nothing' },
};

async function* noProbes(signal: AbortSignal): AsyncGenerator<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

/** The events up to and with the first that is `last`; the stream is given up then. */
async function follow(node: Upstream, wishes: Partial<FollowOpen>, last: FeedEvent['kind']): Promise<FeedEvent[]> {
  const ending = new AbortController();
  const events: FeedEvent[] = [];
  try {
    for await (const event of node.follow({ ...open, ...wishes }, noProbes(ending.signal), ending.signal)) {
      events.push(event);
      if (event.kind === last) return events;
    }
    return events;
  } finally {
    ending.abort(new Error('enough'));
  }
}

beforeEach(async () => {
  chain = new Chain();
  origin = await chain.origin('o');
  await origin.create('ns', aCall());
});

afterEach(() => chain.close());

describe('a chain of origin, two relays and an edge', () => {
  it('brings writes down to a copy and a cache, and writes of the last edge up to the origin', async () => {
    await put(origin, 'before', 'one');
    const relay1 = await chain.edge('relay1', [origin], { replicate: ['*'] });
    const relay2 = await chain.edge('relay2', [relay1], { replicate: ['*'] });
    const edge = await chain.edge('edge', [relay2], { replicate: ['ns/copied/*'] });
    await isLive(edge);
    expect(textOf(await get(edge, 'before'))).toBe('one');
    await put(origin, 'before', 'two');
    await put(origin, 'copied/k', 'three');
    await until(async () => textOf(await get(edge, 'before')) === 'two');
    await until(async () => textOf(await get(edge, 'copied/k')) === 'three');
    expect((await get(edge, 'copied/k')).source).toBe('copy');
    await put(edge, 'up', 'four');
    expect(textOf(await get(origin, 'up'))).toBe('four');
  });

  it('adds bounds up, names the origin at the root, and shows who follows whom', async () => {
    const relay = await chain.edge('relay', [origin], { replicate: ['*'] });
    const edge = await chain.edge('edge', [relay], { replicate: ['*'] });
    await isLive(edge);
    const [above] = (await relay.status()).scopes;
    const [below] = (await edge.status()).scopes;
    expect(below?.rootLog).toBe(above?.rootLog);
    expect((await relay.status()).followers).toMatchObject([{ name: 'edge', scope: 'copy' }]);
    expect((await relay.members(aCall())).map(({ name }) => name).sort()).toEqual(['edge', 'o', 'relay']);
  });

  it('never tells a bound that is smaller than that of the relay above, while that is cut off', async () => {
    const cable = new Cable(origin);
    const relay = await chain.edge('relay', [cable.upstream], { replicate: ['*'] });
    const edge = await chain.edge('edge', [relay], { replicate: ['*'] });
    await isLive(edge);
    cable.cut = true;
    await put(origin, 'k', 'unseen');
    await until(async () => ((await relay.status()).scopes[0]?.boundMs ?? 0) > 60);
    const [above] = (await relay.status()).scopes;
    const [below] = (await edge.status()).scopes;
    // Nothing reaches the relay, so its bound only grows; the edge was asked later.
    expect(below?.boundMs).toBeGreaterThanOrEqual(above?.boundMs ?? Number.POSITIVE_INFINITY);
    expect(textOf(await get(edge, 'k', { maxStalenessMs: 60_000 }))).toBeUndefined();
  });

  it('asks the origin through all of them where a read says so', async () => {
    const relay1 = await chain.edge('relay1', [origin], { replicate: ['*'] });
    const relay2 = await chain.edge('relay2', [relay1], { replicate: ['*'] });
    const edge = await chain.edge('edge', [relay2]);
    await isLive(edge);
    const { covered } = await put(origin, 'k', 'v');
    const asked = await get(edge, 'k', { atOrigin: true });
    expect([asked.source, textOf(asked), asked.bound?.root]).toEqual(['origin', 'v', [...covered.keys()][0]]);
    expect((await get(edge, 'k', { maxStalenessMs: 0 })).source).toBe('origin');
  });

  it('keeps a session: what was written at the origin is read at the end of the chain', async () => {
    const relay = await chain.edge('relay', [origin], { replicate: ['*'] });
    const edge = await chain.edge('edge', [relay]);
    await isLive(edge);
    for (const value of ['1', '2', '3', '4', '5']) {
      const [written] = (await put(origin, 'k', value)).written;
      if (written === undefined) throw new Error('a write of one mutation is one');
      const session = sessionAfterRecord(emptySession, written.position, written.stamp);
      expect(textOf(await get(edge, 'k', { session }))).toBe(value);
    }
  });
});

describe('a relay', () => {
  it('serves no feed before its copy has caught up (R17)', async () => {
    const cable = new Cable(origin);
    cable.cut = true;
    const relay = await chain.edge('relay', [cable.upstream], { replicate: ['*'] });
    await expect(follow(relay, {}, 'opened')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    cable.cut = false;
    await isLive(relay);
    expect((await follow(relay, {}, 'caught-up')).at(-1)).toMatchObject({ vector: origin.covered });
  });

  it('refuses a scope that its copy does not include whole, and names the range', async () => {
    const { namespace } = await origin.create('other', aCall());
    const relay = await chain.edge('relay', [origin], { replicate: ['ns'] });
    await isLive(relay);
    const filter = { includes: [{ namespace: namespace.id, prefix: 'a/' }], excludes: [] };
    await expect(follow(relay, { filter }, 'opened')).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      details: { reason: 'scope-not-served' },
      message: expect.stringContaining(namespace.id),
    });
  });

  it('that copies nothing, or is asked for a peer’s feed, refuses to be followed', async () => {
    const edge = await chain.edge('edge', [origin]);
    await expect(follow(edge, {}, 'opened')).rejects.toMatchObject({ details: { reason: 'not-a-relay' } });
    const relay = await chain.edge('relay', [origin], { replicate: ['*'] });
    await isLive(relay);
    await expect(follow(relay, { role: 'peer' }, 'opened')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  it('that does not serve one scope of an edge serves its other scope and its loads', async () => {
    await put(origin, 'k', 'v');
    const relay = await chain.edge('relay', [origin], { replicate: ['ns'] });
    await isLive(relay);
    const toRelay = new Cable(relay);
    const toOrigin = new Cable(origin);
    const edge = await chain.edge('edge', [toRelay.upstream, toOrigin.upstream], { replicate: ['ns/k*'] });
    await isLive(edge);
    const upstreams = (await edge.status()).scopes.map(({ kind, upstream }) => [kind, upstream]);
    expect(upstreams).toEqual([
      ['copy', 'u0'],
      ['cache', 'u1'],
    ]);
    await get(edge, 'cached');
    expect([toRelay.called.includes('get'), toOrigin.called.includes('get')]).toEqual([true, false]);
  });

  it('ends its followers’ streams when it is made to begin anew, and voids what they began there (R21)', async () => {
    const disk = new MemoryDisk();
    // Tombstones go at once, so that a relay that was away for one falls below the floor.
    const purging = await chain.origin('p', { tombstoneRetentionMs: 0, garbageIntervalMs: 5 });
    await purging.create('ns', aCall());
    await put(purging, 'gone', 'v');
    await put(purging, 'kept', 'v');
    const cable = new Cable(purging);
    const relay = await chain.edge('relay', [cable.upstream], { replicate: ['*'], copyStore: disk.open() });
    const edge = await chain.edge('edge', [relay], { replicate: ['*'] });
    await isLive(edge);
    const generation = async () => {
      const [opened] = await follow(relay, {}, 'opened');
      return opened?.kind === 'opened' ? opened.generation : undefined;
    };
    const before = await generation();
    cable.cut = true;
    const deletion = { kind: 'delete' as const, key: 'gone' };
    await purging.write({ namespace: 'ns', mutations: [deletion], session: emptySession }, aCall());
    const { covered } = await put(purging, 'later', 'v');
    await until(async () => (await purging.status()).scopes.every(({ floor }) => floor.size > 0));
    cable.cut = false;
    await covering(relay, covered);
    await covering(edge, covered);
    expect(await generation()).not.toBe(before);
    const read = async (key: string) => [(await get(edge, key)).source, textOf(await get(edge, key))];
    expect(await Promise.all(['gone', 'kept', 'later'].map(read))).toEqual([
      ['copy', undefined],
      ['copy', 'v'],
      ['copy', 'v'],
    ]);
  });

  it('in a ring of edges that are each other’s upstreams passes no call on for ever', async () => {
    const cable = new Cable(origin);
    const late: { upstream: Upstream } = { upstream: origin };
    const second = new Proxy(origin as Upstream, {
      get: (_, name: keyof Upstream) => {
        const method = late.upstream[name] as (...args: unknown[]) => unknown;
        return method.bind(late.upstream);
      },
    });
    const a = await chain.edge('a', [cable.upstream, second], { replicate: ['*'] });
    const toA = new Cable(a);
    const b = await chain.edge('b', [cable.upstream, toA.upstream], { replicate: ['*'] });
    late.upstream = b;
    await isLive(a);
    await isLive(b);
    cable.cut = true;
    await expect(get(a, 'k', { atOrigin: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(get(b, 'k', { namespace: 'unknown' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(toA.called.filter((name) => name === 'get').length).toBeLessThanOrEqual(10);
  });

  it('in a ring without an origin passes no watch on for ever', async () => {
    const late: { upstream: Upstream } = { upstream: origin };
    let followed = 0;
    const second = new Proxy(origin as Upstream, {
      get: (_, name: keyof Upstream) => {
        if (name === 'follow') followed++;
        const method = late.upstream[name] as (...args: unknown[]) => unknown;
        return method.bind(late.upstream);
      },
    });
    const a = await chain.edge('a', [second]);
    late.upstream = await chain.edge('b', [a]);
    const watch = { role: 'watch', filter: everything, start: { kind: 'now' } } as const;
    await expect(follow(a, watch, 'opened')).rejects.toMatchObject({ details: { reason: 'too-many-hops', limit: 8 } });
    expect(followed).toBeGreaterThan(3);
  });

  it('has a watch answered by the origin, whose records are synced before anybody is told of them', async () => {
    const relay = await chain.edge('relay', [origin], { replicate: ['ns'] });
    const below = await chain.edge('below', [relay]);
    await isLive(relay);
    const scope = { namespace: (await origin.find('ns')).id, prefix: '' };
    const watch = { role: 'watch', filter: { includes: [scope], excludes: [] }, start: { kind: 'now' } } as const;
    expect((await follow(below, watch, 'opened'))[0]).toMatchObject({ node: { name: 'o' } });
  });

  it('lends no cover to a value that its feed has superseded: an edge below does not keep it (R13)', async () => {
    await put(origin, 'k', 'old');
    const cable = new Cable(origin);
    const middle = await chain.edge('middle', [cable.upstream], { feedValues: { kind: 'none' } });
    await isLive(middle);
    await get(middle, 'k');
    const { covered } = await put(origin, 'k', 'new');
    await covering(middle, covered);
    cable.cut = true;
    const stale = await get(middle, 'k');
    expect([textOf(stale), stale.past, stale.covered.size]).toEqual(['old', true, 0]);
  });
});
