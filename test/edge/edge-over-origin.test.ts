import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Edge } from '../../src/edge/edge.ts';
import { type EdgeOptions, edgeDefaults } from '../../src/edge/edge-options.ts';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import type { Call } from '../../src/model/call.ts';
import { MeridianError } from '../../src/model/errors.ts';
import { everything } from '../../src/model/filter.ts';
import type { GetAnswer, GetRequest } from '../../src/model/key-value.ts';
import { emptySession, sessionAfterRecord } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { Origin } from '../../src/origin/origin.ts';
import { type OriginOptions, type OriginStores, originDefaults } from '../../src/origin/origin-options.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { BoundedQueue } from '../../src/runtime/bounded-queue.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';

let folder: string;
let origin: Origin;
let closing: Array<() => Promise<void>>;
let down: boolean;
let gets: number;
/** Gets are taken and never answered. */
let silent: boolean;

async function store(name: string): Promise<Store> {
  const opened = await openLevelStore(join(folder, name));
  closing.unshift(() => opened.close());
  return opened;
}

function call(ms = 5000): Call {
  return { deadlineMs: systemClock.monotonicMs() + ms, signal: new AbortController().signal };
}

/** The origin behind a cable that can be cut. */
function cable(): Upstream {
  const check = () => {
    if (down) throw new MeridianError('UNAVAILABLE', 'the cable is cut', { reason: 'cut' });
  };
  return new Proxy(origin, {
    get: (target, name: keyof Upstream) => {
      if (name === 'follow') {
        return async function* (...args: Parameters<Upstream['follow']>) {
          check();
          for await (const event of target.follow(...args)) {
            check();
            yield event;
          }
        };
      }
      return async (...args: unknown[]) => {
        check();
        if (name === 'get') gets++;
        if (name === 'get' && silent) await new Promise(() => {});
        return (target[name] as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

async function openEdge(options: Partial<EdgeOptions> = {}): Promise<Edge> {
  const edge = await Edge.open({
    ...edgeDefaults,
    probeIntervalMs: 5,
    backoff: { firstMs: 1, mostMs: 5 },
    identity: { name: 'e', region: 'r' },
    version: 'test',
    clock: systemClock,
    random: systemRandom,
    observer: silentReplicationObserver,
    edgeObserver: silentEdgeObserver,
    upstreams: [{ name: 'o', upstream: cable() }],
    copyStore: options.copyStore ?? (await store('copy')),
    cacheStore: options.cacheStore ?? (await store('cache')),
    replicate: [],
    feedValues: { kind: 'inline', bytesMax: 1024 },
    ...options,
  });
  closing.unshift(() => edge.close());
  return edge;
}

/** An origin's store on disk; it never begins anew here. */
async function storesOver(name: string): Promise<OriginStores> {
  const nothing = () => Promise.reject(new Error('it does not begin anew'));
  return { store: await store(name), aside: [], putAside: nothing, takeBack: nothing, dropAside: nothing };
}

/** Every scope is live, and its bound is known. */
async function isLive(edge: Edge): Promise<void> {
  for (;;) {
    const { scopes, notes } = await edge.status();
    const live = scopes.length > 0 && scopes.every(({ state, boundMs }) => state === 'live' && boundMs !== undefined);
    if (live && notes.length === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function put(node: Upstream, key: string, text: string) {
  const mutations = [{ kind: 'put' as const, key, value: Buffer.from(text) }];
  return node.write({ namespace: 'ns', mutations, session: emptySession }, call());
}

function get(node: Upstream, key: string, wishes: Partial<GetRequest> = {}): Promise<GetAnswer> {
  return node.get({ namespace: 'ns', key, session: emptySession, ...wishes }, call());
}

function text({ record }: GetAnswer): string | undefined {
  return record?.kind === 'live' ? Buffer.from(record.value).toString() : undefined;
}

/** Waits until the feed has brought what the origin holds now. */
async function reads(edge: Edge, key: string, wanted: string | undefined): Promise<void> {
  while (text(await get(edge, key)) !== wanted) await new Promise((resolve) => setImmediate(resolve));
}

const originOptions: Omit<OriginOptions, 'stores'> = {
  ...originDefaults,
  clock: systemClock,
  observer: silentReplicationObserver,
  originObserver: silentOriginObserver,
  random: systemRandom,
  name: 'o',
  region: 'r',
  version: 'test',
  durability: 'local',
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meridian-edge-'));
  closing = [];
  down = false;
  gets = 0;
  silent = false;
  origin = await Origin.open({ ...originOptions, stores: await storesOver('origin') });
  closing.unshift(() => origin.close());
  await origin.create('ns');
});

afterEach(async () => {
  for (const close of closing) await close();
  await rm(folder, { recursive: true });
});

describe('an edge that caches', () => {
  it('loads once, then answers from the cache, which the feed keeps true', async () => {
    await put(origin, 'k', 'one');
    const edge = await openEdge();
    await isLive(edge);
    expect(text(await get(edge, 'k'))).toBe('one');
    const again = await get(edge, 'k');
    expect([again.source, text(again), gets]).toEqual(['cache', 'one', 1]);
    await put(origin, 'k', 'two');
    await reads(edge, 'k', 'two');
    expect(gets).toBe(1);
  });

  it('lets a writer read back at once what it wrote through the edge', async () => {
    const edge = await openEdge();
    await isLive(edge);
    const { written } = await put(edge, 'k', 'mine');
    const [write] = written;
    if (write === undefined) throw new Error('a write of one mutation is one');
    const session = sessionAfterRecord(emptySession, write.position, write.stamp);
    expect(text(await get(edge, 'k', { session }))).toBe('mine');
  });

  it('asks the origin when it is told to', async () => {
    const edge = await openEdge();
    await isLive(edge);
    await put(edge, 'k', 'v');
    expect((await get(edge, 'k', { atOrigin: true })).source).toBe('origin');
    expect((await get(edge, 'k', { maxStalenessMs: 0 })).source).toBe('origin');
    expect(gets).toBe(2);
  });

  it('answers what it holds and refuses the rest when its upstream is cut off', async () => {
    await put(origin, 'k', 'v');
    const edge = await openEdge();
    await isLive(edge);
    await get(edge, 'k');
    down = true;
    expect(text(await get(edge, 'k'))).toBe('v');
    await expect(get(edge, 'other')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(get(edge, 'k', { atOrigin: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('reads and writes nothing at an upstream of another cluster, and goes on with what it holds', async () => {
    await put(origin, 'k', 'ours');
    const copyStore = await store('copy');
    const cacheStore = await store('cache');
    const before = await openEdge({ copyStore, cacheStore, replicate: ['ns'] });
    await isLive(before);
    await before.close();
    const other = await Origin.open({ ...originOptions, stores: await storesOver('other') });
    closing.unshift(() => other.close());
    await other.create('ns');
    await put(other, 'k', 'theirs');
    const upstreams = [{ name: 'other', upstream: other }];
    const edge = await openEdge({ copyStore, cacheStore, replicate: ['ns'], upstreams });
    const notes = async () => (await edge.status()).notes.join();
    await expect.poll(notes, { timeout: 20_000 }).toContain('cluster');
    expect(text(await get(edge, 'k'))).toBe('ours');
    const refused = { code: 'UNAVAILABLE', details: { reason: 'other-cluster' } };
    await expect(get(edge, 'k', { atOrigin: true })).rejects.toMatchObject(refused);
    await expect(put(edge, 'k', 'lost')).rejects.toMatchObject(refused);
    expect(text(await get(other, 'k'))).toBe('theirs');
    const node = { name: 'watch', role: 'edge', id: '2'.repeat(16), region: '' } as const;
    const watching = edge.follow(
      {
        protocol: 2,
        node,
        nonce: 'w',
        role: 'watch',
        filter: everything,
        values: { kind: 'none' },
        start: { kind: 'now' },
      },
      new BoundedQueue(1),
      new AbortController().signal,
    );
    await expect(watching.next()).rejects.toMatchObject({ details: { reason: 'other-cluster' } });
  });

  it('says in its status why it hears nothing new, for as long as that is so', async () => {
    const edge = await openEdge();
    await isLive(edge);
    const notes = async () => (await edge.status()).notes;
    expect(await notes()).toEqual([]);
    down = true;
    await expect.poll(notes, { timeout: 20_000 }).toEqual(['the cache hears nothing new: the cable is cut']);
    down = false;
    await expect.poll(notes, { timeout: 20_000 }).toEqual([]);
  });

  it('serves what is past its bound before the deadline where the upstream does not answer', async () => {
    await put(origin, 'k', 'v');
    const edge = await openEdge();
    await isLive(edge);
    await get(edge, 'k');
    silent = true;
    const within = call(500);
    const wanted = { namespace: 'ns', key: 'k', session: emptySession, maxStalenessMs: 0.001 };
    const answer = await edge.get(wanted, within);
    expect([text(answer), answer.past]).toEqual(['v', true]);
    expect(systemClock.monotonicMs()).toBeLessThan(within.deadlineMs);
  });

  it('tells a reader whose session did not come here in time which origin is missing, not that time ran out', async () => {
    const edge = await openEdge();
    await isLive(edge);
    const [id] = origin.covered.keys();
    if (id === undefined) throw new Error('an origin covers its own founding');
    const session = { ...emptySession, vector: new Map([[id, 1_000_000]]) };
    silent = true;
    const read = edge.get({ namespace: 'ns', key: 'k', session }, call(300));
    await expect(read).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'session-not-covered' },
      message: expect.stringContaining(id),
    });
  });

  it('says neither absent nor unknown before it has caught up, where it cannot load (R17)', async () => {
    down = true;
    const edge = await openEdge();
    await expect(get(edge, 'k')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(edge.find('ns', call())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('knows a namespace that is made later, and says NOT_FOUND of one that is not', async () => {
    const edge = await openEdge();
    await isLive(edge);
    await expect(get(edge, 'k', { namespace: 'later' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await edge.create('later', call());
    expect((await get(edge, 'k', { namespace: 'later' })).record).toBeUndefined();
  });
});

describe('an edge that copies', () => {
  it('answers reads, absences and lists of what it copies without its upstream', async () => {
    await put(origin, 'a/1', 'one');
    await put(origin, 'a/2', 'two');
    await put(origin, 'b', 'other');
    const edge = await openEdge({ replicate: ['ns/a/*'] });
    await isLive(edge);
    down = true;
    expect([text(await get(edge, 'a/1')), (await get(edge, 'a/2')).source]).toEqual(['one', 'copy']);
    expect((await get(edge, 'a/none')).record).toBeUndefined();
    const list = (prefix: string) => edge.list({ namespace: 'ns', prefix, limit: 10, session: emptySession }, call());
    expect((await list('a/')).keys.map(({ key }) => key)).toEqual(['a/1', 'a/2']);
    await expect(list('')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(get(edge, 'b')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('copies a namespace that is made after it started', async () => {
    const edge = await openEdge({ replicate: ['soon'] });
    await origin.create('soon');
    await origin.write(
      {
        namespace: 'soon',
        mutations: [{ kind: 'put', key: 'k', value: Buffer.from('v') }],
        session: emptySession,
      },
      call(),
    );
    await isLive(edge);
    const answer = await get(edge, 'k', { namespace: 'soon' });
    expect([answer.source, text(answer)]).toEqual(['copy', 'v']);
  });

  it('holds on with no upstream, and takes what it missed when that is back', async () => {
    await put(origin, 'k', 'one');
    const edge = await openEdge({ replicate: ['*'] });
    await isLive(edge);
    down = true;
    await put(origin, 'k', 'two');
    expect(text(await get(edge, 'k'))).toBe('one');
    down = false;
    await reads(edge, 'k', 'two');
    expect(gets).toBe(0);
  });
});
