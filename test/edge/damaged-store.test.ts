import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Edge } from '../../src/edge/edge.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import type { Call } from '../../src/model/call.ts';
import { MeridianError } from '../../src/model/errors.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { emptySession } from '../../src/model/session.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { Origin } from '../../src/origin/origin.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemRandom as random } from '../../src/runtime/random.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { OriginDisks } from '../support/memory-origin-stores.ts';
import { MemoryDisk } from '../support/memory-store.ts';

let origin: Origin;
let copy: MemoryDisk;
let cache: MemoryDisk;
let closing: Array<() => Promise<void>>;

const call = (): Call => ({ deadlineMs: clock.monotonicMs() + 5000, signal: new AbortController().signal });

beforeEach(async () => {
  closing = [];
  copy = new MemoryDisk();
  cache = new MemoryDisk();
  origin = await Origin.open({
    ...originDefaults,
    stores: await new OriginDisks().open((disk) => disk.open()),
    clock,
    random,
    observer,
    originObserver: silentOriginObserver,
    name: 'o',
    durability: 'local',
    region: 'r',
    version: 'test',
    peers: [],
    connect: () => {
      throw new Error('no peers');
    },
    keepApart: async () => undefined,
    beginAnew: () => {},
    replaced: () => {},
  });
  closing.unshift(() => origin.close());
  await origin.create('ns');
  for (const key of ['k', 'other']) await put(key, `${key} 1`);
});

afterEach(async () => {
  for (const close of closing) await close();
});

async function put(key: string, text: string): Promise<void> {
  const mutations = [{ kind: 'put', key, value: Buffer.from(text) } as const];
  await origin.write({ namespace: 'ns', mutations, session: emptySession }, call());
}

interface OpenEdge {
  readonly edge: Edge;
  close(): Promise<void>;
}

async function open(replicate: readonly string[]): Promise<OpenEdge> {
  const [copyStore, cacheStore] = [copy.open(), cache.open()];
  const edge = await Edge.open({
    ...edgeDefaults,
    probeIntervalMs: 5,
    backoff: { firstMs: 1, mostMs: 5 },
    identity: { name: 'e', region: 'r' },
    version: 'test',
    clock,
    random,
    observer,
    edgeObserver: silentEdgeObserver,
    upstreams: [{ name: 'o', upstream: origin }],
    copyStore,
    cacheStore,
    replicate,
    feedValues: { kind: 'all' },
  });
  const close = async () => {
    await edge.close();
    for (const store of [copyStore, cacheStore]) await store.close();
  };
  await vi.waitFor(async () => {
    const { scopes } = await edge.status();
    expect(scopes.every(({ state, boundMs }) => state === 'live' && boundMs !== undefined)).toBe(true);
  });
  return { edge, close };
}

async function read(edge: Edge, key: string): Promise<[source: string, text: string | undefined]> {
  const { record, source } = await edge.get({ namespace: 'ns', key, session: emptySession }, call());
  return [source, record?.kind === 'live' ? Buffer.from(record.value).toString() : undefined];
}

/** An edge with a copy in which the record of `k` cannot be read. */
async function openDamagedCopy(): Promise<Edge> {
  const first = await open(['*']);
  const { id: namespace } = await origin.find('ns');
  await first.close();
  copy.damage({ namespace, key: 'k' });
  const { edge, close } = await open(['*']);
  closing.unshift(close);
  return edge;
}

it('a copy with a damaged record asks its upstream for it, lists too, and has it back by itself', async () => {
  const edge = await openDamagedCopy();
  expect(await read(edge, 'k')).toEqual(['origin', 'k 1']);
  expect(await read(edge, 'other')).toEqual(['copy', 'other 1']);
  const list = await edge.list({ namespace: 'ns', prefix: '', limit: 10, session: emptySession }, call());
  expect([list.source, list.keys.map(({ key }) => key)]).toEqual(['origin', ['k', 'other']]);
  await vi.waitFor(async () => expect(await read(edge, 'k')).toEqual(['copy', 'k 1']), { timeout: 5000 });
  expect((await edge.status()).storage?.damagedRecords).toBe(0);
});

it('a copy names a damaged record in its list while its upstream is away', async () => {
  const edge = await openDamagedCopy();
  const away = () => Promise.reject(new MeridianError('UNAVAILABLE', 'away', { reason: 'away' }));
  Object.assign(origin, { list: away, get: away });
  const list = await edge.list({ namespace: 'ns', prefix: '', limit: 10, session: emptySession }, call());
  expect([list.source, list.keys.map(({ key, damaged }) => [key, damaged])]).toEqual([
    'copy',
    [
      ['k', true],
      ['other', undefined],
    ],
  ]);
  await expect(read(edge, 'k')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

it('a copy with a damaged record stays live when its key is written, and has the new value', async () => {
  const edge = await openDamagedCopy();
  await put('k', 'k 2');
  await vi.waitFor(async () => expect(await read(edge, 'k')).toEqual(['copy', 'k 2']));
  expect((await edge.status()).scopes.map(({ state }) => state)).toEqual(['live']);
});

it('a cache with a damaged record loads it again', async () => {
  const first = await open([]);
  const { id: namespace } = await origin.find('ns');
  await read(first.edge, 'k');
  await first.close();
  cache.damage({ namespace, key: 'k' });
  const { edge, close } = await open([]);
  closing.unshift(close);
  expect(await read(edge, 'k')).toEqual(['origin', 'k 1']);
  expect(await read(edge, 'k')).toEqual(['cache', 'k 1']);
  expect((await edge.status()).storage?.damagedRecords).toBe(0);
});

it.each(['copy', 'cache'] as const)('a %s whose registry is damaged is filled again', async (kind) => {
  const disk = kind === 'copy' ? copy : cache;
  const replicate = kind === 'copy' ? ['*'] : [];
  const first = await open(replicate);
  await read(first.edge, 'k');
  await first.close();
  for (const [, record] of disk.synced.records) if (record.namespace === registryNamespace) disk.damage(record);
  await put('k', 'k 2');
  const { edge, close } = await open(replicate);
  closing.unshift(close);
  expect((await read(edge, 'k'))[1]).toBe('k 2');
  expect((await edge.status()).storage?.damagedRecords).toBe(0);
});

it('a copy whose registry was damaged begins anew where it is to hold more since', async () => {
  const held = () =>
    [...copy.synced.records.values()].filter(({ key }) => key === 'k' || key === 'other').map(({ key }) => key);
  const first = await open(['ns/k*']);
  await first.close();
  for (const [, record] of copy.synced.records) if (record.namespace === registryNamespace) copy.damage(record);
  const second = await open(['ns/k*']);
  await vi.waitFor(() => expect(held()).toEqual(['k']));
  await second.close();
  const { edge, close } = await open(['*']);
  closing.unshift(close);
  expect(await read(edge, 'other')).toEqual(['copy', 'other 1']);
});
