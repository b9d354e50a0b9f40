import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Edge } from '../../src/edge/edge.ts';
import { type EdgeOptions, edgeDefaults } from '../../src/edge/edge-options.ts';
import { type AuditDifference, silentEdgeObserver } from '../../src/edge/observer.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { Mutation } from '../../src/model/key-value.ts';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { Record } from '../../src/model/record.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { type ReplicationObserver, silentReplicationObserver } from '../../src/replication/observer.ts';
import { MemoryDisk, type MemoryStore } from '../support/memory-store.ts';
import { aCall, Cable, Chain, covering, get, isLive, put, textOf, until } from './chain.ts';

const keys = 2000;
/** Far more than the looks of a test visit one by one, and far fewer than there are. */
const fewKeys = 100;

let chain: Chain;
let origin: Origin;
let edge: Edge;
let store: MemoryStore;
let namespace: NamespaceId;
let compared: number;
let outcomes: string[];
let differences: AuditDifference[];

beforeEach(async () => {
  chain = new Chain();
  compared = 0;
  outcomes = [];
  differences = [];
  origin = await chain.origin('o', { garbageIntervalMs: 5 });
  namespace = (await origin.create('ns', aCall())).namespace.id;
});

afterEach(() => chain.close());

const nameOf = (index: number) => `k${String(index).padStart(4, '0')}`;
const text = (record: Record | undefined) =>
  record?.kind === 'live' ? Buffer.from(record.value).toString() : record?.kind;

function write(mutations: readonly Mutation[], name = 'ns') {
  return origin.write({ namespace: name, mutations, session: emptySession }, aCall());
}

async function filled(): Promise<void> {
  const mutations = Array.from({ length: keys }, (_, index) => {
    return { kind: 'put' as const, key: nameOf(index), value: Buffer.from(`v${index}`) };
  });
  await write(mutations);
}

async function opened(upstream: Upstream = origin, options: Partial<EdgeOptions> = {}): Promise<Edge> {
  store = new MemoryDisk().open();
  edge = await chain.edge('e', [upstream], {
    replicate: ['ns'],
    copyStore: store,
    audit: { ...edgeDefaults.audit, everyMs: 2, keysMax: 1, suspectsMax: 8 },
    edgeObserver: {
      ...silentEdgeObserver,
      audited: () => compared++,
      rangeAudited: (outcome) => outcomes.push(outcome),
      auditDiffered: (difference) => differences.push(difference),
    },
    ...options,
  });
  await isLive(edge);
  return edge;
}

/** Changes what the disk holds of a key, as no code of ours would. */
async function corrupt(key: string, change: (record: Record) => Record | undefined): Promise<void> {
  const name = { namespace, key };
  const [record, [held]] = await Promise.all([store.read(name), store.heads([name])]);
  if (record === undefined || held === undefined) throw new Error('nothing is held');
  const changed = change(record);
  const puts = changed === undefined ? [] : [{ record: changed, held }];
  await store.commit({ puts, removals: changed === undefined ? [held] : [], meta: new Map(), sync: true });
}

describe('the audit of a copy by digests of ranges', () => {
  it('finds a changed value, a lost record and a risen one among far more keys than it visits, and repairs them', async () => {
    await filled();
    await opened();
    const before = await store.read({ namespace, key: nameOf(1700) });
    const { covered } = await write([{ kind: 'delete', key: nameOf(1700) }]);
    await covering(edge, covered);
    const at = compared;
    await corrupt(nameOf(1500), (record) => ({ ...record, kind: 'live', value: Buffer.from('rot') }));
    await corrupt(nameOf(1600), () => undefined);
    await corrupt(nameOf(1700), () => before);
    expect(text(await store.read({ namespace, key: nameOf(1700) }))).toBe('v1700');
    await until(() => differences.length >= 3);
    expect(compared - at).toBeLessThan(fewKeys);
    const found = differences.map(({ key, held, found, repaired }) => [key.key, text(held), text(found), repaired]);
    expect(found.sort()).toEqual([
      [nameOf(1500), 'rot', 'v1500', true],
      [nameOf(1600), undefined, 'v1600', true],
      [nameOf(1700), 'v1700', 'tombstone', true],
    ]);
    expect(outcomes).toContain('suspect');
    const [changed, lost, risen] = await Promise.all([1500, 1600, 1700].map((index) => get(edge, nameOf(index))));
    expect([changed, lost, risen].map((answer) => answer && [textOf(answer), answer.source])).toEqual([
      ['v1500', 'copy'],
      ['v1600', 'copy'],
      [undefined, 'copy'],
    ]);
  });

  it('repairs a few at a time where much is lost, and in the end all', async () => {
    await filled();
    await opened();
    for (let index = 1000; index < 1050; index++) await corrupt(nameOf(index), () => undefined);
    await until(() => differences.length >= 50);
    expect(differences.map(({ key }) => key.key).sort()).toEqual(
      Array.from({ length: 50 }, (_, i) => nameOf(1000 + i)),
    );
    expect(differences.every(({ repaired }) => repaired)).toBe(true);
    outcomes = [];
    await until(() => outcomes.length >= 10);
    expect(new Set(outcomes)).toEqual(new Set(['equal']));
  });

  it('finds what is missing where the copy has lost everything', async () => {
    for (let i = 0; i < 20; i++) await put(origin, nameOf(i), 'v');
    await opened();
    for (let i = 0; i < 20; i++) await corrupt(nameOf(i), () => undefined);
    await until(() => differences.length >= 20);
    expect(textOf(await get(edge, nameOf(19)))).toBe('v');
  });

  it('finds nothing while writes, deletions, purges, expiries, a resync and the end of a namespace go on', async () => {
    let resyncs = 0;
    const observer: ReplicationObserver = {
      ...silentReplicationObserver,
      resyncSent: () => resyncs++,
    };
    // It forgets deletions at once, so that a copy that was cut off has to begin anew.
    origin = await chain.origin('forgetful', { garbageIntervalMs: 5, tombstoneRetentionMs: 0, observer });
    await origin.create('ns', aCall());
    await filled();
    const cable = new Cable(origin);
    await opened(cable.upstream);
    for (let round = 0; round < 30; round++) {
      const key = nameOf(round * 50);
      await write([
        { kind: 'put', key, value: Buffer.from(`again ${round}`), expiry: { kind: 'in', seconds: 1 + (round % 3) } },
        { kind: 'delete', key: nameOf(round * 50 + 1) },
        { kind: 'put', key: `new${round}`, value: Buffer.alloc(5000, round) },
      ]);
      if (round === 10) cable.cut = true;
      if (round === 15) {
        const covered = (await edge.status()).scopes.find(({ kind }) => kind === 'copy')?.covered;
        await until(async () => {
          const floor = (await origin.status()).scopes[0]?.floor ?? new Map();
          return [...floor].some(([id, sequence]) => sequence > (covered?.get(id) ?? 0));
        });
        cable.cut = false;
        await isLive(edge);
      }
      if (round === 20) await origin.create('short', aCall());
      if (round > 20 && round < 25) await write([{ kind: 'put', key, value: Buffer.from('x') }], 'short');
      if (round === 25) await origin.remove('short', aCall());
      const seen = outcomes.length;
      if (!cable.cut) await until(() => outcomes.length > seen);
    }
    outcomes = [];
    await until(() => outcomes.filter((outcome) => outcome === 'equal').length > 10);
    expect(differences).toEqual([]);
    expect(resyncs).toBeGreaterThan(0);
  });

  it('goes on key by key where the upstream is of a version that digests no range', async () => {
    await put(origin, 'k', 'v');
    const older = new Cable(origin);
    const upstream = new Proxy(older.upstream, {
      get: (node, name: keyof Upstream) => {
        if (name !== 'digestRange') return node[name];
        return async () => {
          throw new MeridianError('UNIMPLEMENTED', 'the method is not known', { reason: 'unimplemented' });
        };
      },
    });
    await opened(upstream);
    await until(() => outcomes.length > 0);
    expect(new Set(outcomes)).toEqual(new Set(['open']));
    await corrupt('k', (record) => ({ ...record, kind: 'live', value: Buffer.from('rot') }));
    await until(() => differences.length > 0);
    expect(textOf(await get(edge, 'k'))).toBe('v');
  });

  it('goes on after its store could not be looked at', async () => {
    await put(origin, 'k', 'v');
    await opened();
    const snapshot = store.snapshot.bind(store);
    let failures = 0;
    store.snapshot = () => {
      failures++;
      throw new MeridianError('UNAVAILABLE', 'the store is being opened again', { reason: 'store-failed' });
    };
    await until(() => failures > 2);
    store.snapshot = snapshot;
    const seen = outcomes.length;
    await until(() => outcomes.length > seen);
  });
});

describe('the digest of a range', () => {
  const second = () => Math.ceil(Date.now() / 1000) + 10;
  const asked = (more = {}) => ({ namespace, prefix: '', second: second(), hashes: false, ...more });

  it('is the same at a relay that holds the range as at its origin, to the ends that were named', async () => {
    await filled();
    await opened();
    const ends = { after: nameOf(10), through: nameOf(20) };
    const [there, here] = await Promise.all([origin, edge].map((node) => node.digestRange(asked(ends), aCall())));
    expect(here).toEqual(there);
    expect(here).toMatchObject({ records: 10, through: nameOf(20), hashes: [] });
    const { hashes } = await edge.digestRange(asked({ ...ends, hashes: true }), aCall());
    expect(hashes.map(({ key }) => key)).toEqual(Array.from({ length: 10 }, (_, i) => nameOf(11 + i)));
  });

  it('is passed up by an edge that does not hold the range', async () => {
    await put(origin, 'k', 'v');
    const cable = new Cable(origin);
    await opened(cable.upstream, { replicate: [], audit: { ...edgeDefaults.audit, everyMs: 60_000 } });
    expect(await edge.digestRange(asked(), aCall())).toEqual(await origin.digestRange(asked(), aCall()));
    expect(cable.called).toContain('digestRange');
  });

  it('ends early, and says where, at as many records as one request may read', async () => {
    await filled();
    await write(Array.from({ length: 100 }, (_, i) => ({ kind: 'put', key: `more${i}`, value: Buffer.from('v') })));
    const first = await origin.digestRange(asked(), aCall());
    expect(first.records).toBe(2048);
    expect(first.through).toBeDefined();
    const rest = await origin.digestRange(asked({ after: first.through }), aCall());
    expect(rest.records).toBe(52);
    expect(rest.through).toBeUndefined();
  });

  it('leaves out what has expired by the second named, and is refused for a namespace that is unknown or dead', async () => {
    await write([{ kind: 'put', key: 'k', value: Buffer.from('v'), expiry: { kind: 'in', seconds: 60 } }]);
    expect(await origin.digestRange(asked(), aCall())).toMatchObject({ records: 1 });
    expect(await origin.digestRange(asked({ second: second() + 60 }), aCall())).toMatchObject({ records: 0 });
    await origin.remove('ns', aCall());
    await expect(origin.digestRange(asked(), aCall())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
