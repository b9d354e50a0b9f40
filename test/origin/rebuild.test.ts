import { beforeEach, describe, expect, it } from 'vitest';
import { Edge } from '../../src/edge/edge.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import { emptySession } from '../../src/model/session.ts';
import type { OriginOptions } from '../../src/origin/origin-options.ts';
import { rebuildStore } from '../../src/origin/rebuild.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
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
    await group.untilHolds(async () => (await edge.status()).parts[0]?.covered.get(idOf('a')) === coveredOf('a'));
  });

  function idOf(name: string) {
    return group.at(name).identity.id as never;
  }

  function coveredOf(name: string): number | undefined {
    return group.at(name).covered.get(idOf(name));
  }

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
      source: { upstream: edge, close: () => {} },
      address: 'e',
      signal: new AbortController().signal,
      received: () => {},
    });

  it('holds what the copy held, versions and deletions kept, and goes on as the same cluster under a new id', async () => {
    const { clusterId } = group.at('a');
    const before = await group.get('a', 'k');
    const [old, covered] = [idOf('a'), coveredOf('a')];
    group.crash('a');
    await group.untilHolds(async () => (await edge.status()).parts[0]?.state !== 'live');
    const r = await group.open('r', [], {}, rebuild);
    expect(r.clusterId).toBe(clusterId);
    expect(r.identity.id).not.toBe(old);
    expect((await group.get('r', 'k')).record).toEqual(before.record);
    expect((await group.get('r', 'gone')).record?.kind).toBe('tombstone');
    expect(r.covered.get(old)).toBe(covered);
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

  it('turns the old one away when that comes back after all: it saves what only it held, and joins as a new one', async () => {
    group.cut('e', 'a');
    await group.pass(400);
    await group.put('a', 'late', 'never copied');
    group.crash('a');
    await group.open('r', [], {}, rebuild);
    await group.open('a', ['r']);
    await group.untilHolds(() => group.lost('a') !== undefined);
    await group.reopen('a', ['r']);
    await group.ready('a');
    expect(group.saved.map(({ record }) => record.key)).toContain('late');
    expect(await group.text('a', 'k')).toBe('v');
  });

  it('is refused beside an origin that lives, and from an edge that does not copy everything', async () => {
    await expect(group.open('r', [], {}, rebuild)).rejects.toMatchObject({ details: { reason: 'origin-lives' } });
    edge = await group.until(openEdge(['ns/k*']));
    group.crash('a');
    await expect(group.open('q', [], {}, rebuild)).rejects.toMatchObject({ details: { reason: 'not-a-copy' } });
  });
});
