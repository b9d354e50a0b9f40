import { beforeEach, describe, expect, it } from 'vitest';
import { Edge } from '../../src/edge/edge.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Peer } from '../../src/model/upstream.ts';
import { equalVectors } from '../../src/model/version-vector.ts';
import type { OriginOptions } from '../../src/origin/origin-options.ts';
import { rebuildStore } from '../../src/origin/rebuild.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { registered, removed } from '../replication/registry-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { VirtualClock } from '../support/virtual-time.ts';
import { OriginGroup } from './origin-group.ts';

describe('an origin rebuilt from a copy', () => {
  let group: OriginGroup;
  let edge: Edge;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    edge = await group.until(openEdge(['*']));
    await group.put('a', 'k', 'v');
    await group.put('a', 'gone', 'x');
    await group.write('a', { kind: 'delete', key: 'gone' });
    await group.untilHolds(async () =>
      equalVectors((await edge.status()).scopes[0]?.covered ?? new Map(), group.at('a').covered),
    );
  });

  function openEdge(replicate: readonly string[]): Promise<Edge> {
    return Edge.open({
      ...edgeDefaults,
      probeIntervalMs: 20,
      silenceMsMax: 300,
      backoff: { firstMs: 5, mostMs: 50 },
      identity: { name: 'e', region: 'r' },
      version: 'test',
      clock: new VirtualClock(group.time),
      random: group.random,
      observer: silentReplicationObserver,
      edgeObserver: silentEdgeObserver,
      upstreams: ['a', 'r'].map((name) => ({ name, upstream: group.reach('e', name) })),
      copyStore: new MemoryDisk().open(),
      cacheStore: new MemoryDisk().open(),
      replicate,
      feedValues: { kind: 'all' },
    });
  }

  const rebuild = (options: OriginOptions) =>
    rebuildStore({
      ...options,
      // Of an edge no report is ever asked.
      source: { upstream: edge as unknown as Peer, close: () => {} },
      address: 'e',
      signal: new AbortController().signal,
      received: () => {},
    });

  it('holds what the copy held, versions and deletions kept, and goes on as the same cluster under a new id', async () => {
    const { clusterId } = group.at('a');
    const before = await group.get('a', 'k');
    const { identity, covered } = group.at('a');
    group.crash('a');
    await group.untilHolds(async () => (await edge.status()).scopes[0]?.state !== 'live');
    const r = await group.open('r', [], {}, rebuild);
    expect(r.clusterId).toBe(clusterId);
    expect(r.identity.id).not.toBe(identity.id);
    expect((await group.get('r', 'k')).record).toEqual(before.record);
    expect((await group.get('r', 'gone')).record?.kind).toBe('tombstone');
    // Every log of before is sealed at what the copy covered, so one component is left.
    expect([...r.covered.keys()].filter((log) => covered.has(log))).toEqual([]);
    const members = await group.until(r.members(group.call()));
    expect(members.flatMap(({ name, role }) => (role === 'origin' ? [name] : []))).toEqual(['r']);
    const absent = { kind: 'put', key: 'once', value: Buffer.from('x'), condition: { kind: 'absent' } } as const;
    expect((await group.write('r', absent)).written).toHaveLength(1);
    await group.until(r.create('made after', group.call()));
    await group.put('r', 'k', 'new life');
    await group.untilHolds(async () => {
      const { record } = await group.until(
        edge.get({ namespace: 'ns', key: 'k', session: emptySession }, group.call()),
      );
      return record?.kind === 'live' && Buffer.from(record.value).toString() === 'new life';
    });
  });

  it('waits for nobody of whom the copy knows by a removal alone', async () => {
    group.crash('a');
    const records = [registered(1, 7), removed(7, 8, [1, 2])];
    await group.open('a', [], {}, async ({ stores }) => {
      const puts = records.map((record) => ({ record, held: undefined }));
      await stores.store.commit({ puts, removals: [], meta: new Map(), sync: true });
    });
    edge = await group.until(openEdge(['*']));
    await group.untilHolds(async () => (await edge.status()).scopes[0]?.state === 'live');
    group.crash('a');
    await group.untilHolds(async () => (await edge.status()).scopes[0]?.state !== 'live');
    await group.open('r', [], {}, rebuild);
    await group.reopen('r');
    await group.untilHolds(async () => (await group.at('r').status()).unsealed?.length === 0);
  });

  it('turns the old one away when that comes back after all: it joins as a new one, and brings what only it held', async () => {
    group.cut('e', 'a');
    await group.pass(400);
    await group.put('a', 'late', 'never copied');
    const before = group.at('a').identity.id;
    group.crash('a');
    await group.open('r', [], {}, rebuild);
    await group.open('a', ['r']);
    await group.beginsAnew('a');
    expect(group.at('a').identity.id).not.toBe(before);
    await group.alike(['a', 'r'], 'late', 'never copied');
    await group.alike(['a', 'r'], 'k', 'v');
  });

  it('is refused beside an origin that lives, and from an edge that does not copy everything', async () => {
    await expect(group.open('r', [], {}, rebuild)).rejects.toMatchObject({ details: { reason: 'origin-lives' } });
    edge = await group.until(openEdge(['ns/k*']));
    group.crash('a');
    await expect(group.open('q', [], {}, rebuild)).rejects.toMatchObject({ details: { reason: 'not-a-copy' } });
  });
});
