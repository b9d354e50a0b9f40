import { describe, expect, it } from 'vitest';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import { openScopeLedger } from '../../src/edge/scope-store.ts';
import { type Filter, registryRange } from '../../src/model/filter.ts';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import type { Record } from '../../src/model/record.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import type { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import type { Store } from '../../src/store/store.ts';
import { MemoryDisk, type MemoryStore } from '../support/memory-store.ts';

const [t, u] = ['1', '2'].map((digit) => digit.repeat(32) as NamespaceId) as [NamespaceId, NamespaceId];
const log = 'a'.repeat(16) as LogId;
const records = 600;

const of = (...namespaces: NamespaceId[]): Filter => ({
  includes: [registryRange, ...namespaces.map((namespace) => ({ namespace, prefix: '' }))],
  excludes: [],
});

describe('the ledger of a scope', () => {
  it('starts from nothing where what is to go for a narrower scope went in part', async () => {
    const disk = await copied();
    await narrowsInPart(disk);
    expect(await heldOf(disk, of(t, u))).toEqual({ covers: false, t: 0, u: 0 });
  });

  it('ends the removal for a narrower scope that was broken off', async () => {
    const disk = await copied();
    await narrowsInPart(disk);
    expect(await heldOf(disk, of(t))).toEqual({ covers: true, t: records, u: 0 });
    // All of it went: what is held is the narrower scope, whole.
    expect(await heldOf(disk, of(t))).toEqual({ covers: true, t: records, u: 0 });
  });

  it('keeps what lies within a scope that was being narrowed', async () => {
    const disk = await copied();
    await narrowsInPart(disk);
    expect(await heldOf(disk, of())).toEqual({ covers: true, t: 0, u: 0 });
  });

  it('goes on with a wider scope where it holds some of it, without what lies outside, unless that went in part', async () => {
    const disk = await copied();
    expect(await heldOf(disk, of(t), 'some')).toEqual({ covers: true, t: records, u: 0 });
    expect(await heldOf(disk, of(t, u), 'some')).toEqual({ covers: true, t: records, u: 0 });
    expect(await heldOf(disk, of(u), 'some')).toEqual({ covers: true, t: 0, u: 0 });
    const broken = await copied();
    await narrowsInPart(broken);
    expect(await heldOf(broken, of(t, u), 'some')).toEqual({ covers: false, t: 0, u: 0 });
  });
});

/** A disk that holds and covers the records of two namespaces. */
async function copied(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const ledger = await open(disk.open(), of(t, u));
  const puts = [t, u].flatMap((namespace, half) => {
    return Array.from({ length: records }, (_, index) => record(namespace, half * records + index + 1));
  });
  const state = { covered: new Map([[log, puts.length]]) };
  await ledger.submit({ keys: puts, sync: true, bytes: 0, decide: () => ({ puts, state, result: undefined }) });
  await ledger.close();
  return disk;
}

function record(namespace: NamespaceId, sequence: number): Record {
  const key = `k${String(sequence).padStart(4, '0')}`;
  const stamp = makeStamp({ wallMs: sequence, counter: 0, log });
  return { kind: 'live', namespace, key, stamp, position: { log, sequence }, value: Buffer.from('v') } as Record;
}

/** The narrower scope is opened, and the process is killed behind the first part of what goes. */
async function narrowsInPart(disk: MemoryDisk): Promise<void> {
  const store = disk.open();
  let removals = 0;
  await new Promise<void>((killed) => {
    const commit: Store['commit'] = async (batch) => {
      if (batch.removals.length === 0 || ++removals === 1) return store.commit(batch);
      store.crash();
      killed();
      return new Promise(() => {});
    };
    void open(withCommit(store, commit), of(t));
  });
  expect(disk.synced.records.size).toBeGreaterThan(records);
  expect(disk.synced.records.size).toBeLessThan(2 * records);
}

function withCommit(store: MemoryStore, commit: Store['commit']): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'commit') return commit;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

async function heldOf(disk: MemoryDisk, filter: Filter, share: 'all' | 'some' = 'all') {
  const ledger = await open(disk.open(), filter, share);
  const held = [...disk.synced.records.values()];
  await ledger.close();
  return {
    covers: ledger.state.covered.size > 0,
    t: held.filter(({ namespace }) => namespace === t).length,
    u: held.filter(({ namespace }) => namespace === u).length,
  };
}

function open(store: Store, filter: Filter, holds: 'all' | 'some' = 'all'): Promise<Ledger> {
  return openScopeLedger(store, filter, {
    holds,
    clock: systemClock,
    observer: silentReplicationObserver,
    edgeObserver: silentEdgeObserver,
    proposalsMax: 100,
    proposalBytesMax: 1e9,
    commitBytesMax: 1e9,
    ringCommitsMax: 10,
    ringBytesMax: 1e6,
  });
}
