import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Edge } from '../../src/edge/edge.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { OriginDisks } from '../support/memory-origin-stores.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { aCall, Cable, Chain, get, put, textOf, until } from './chain.ts';

/** An origin that is started again over its disk, while those that know it keep its address. */
class Restarted {
  readonly upstream: Upstream;
  readonly #chain: Chain;
  readonly #disks = new OriginDisks();
  #origin: Origin | undefined;

  constructor(chain: Chain) {
    this.#chain = chain;
    this.upstream = new Proxy({} as Upstream, {
      get: (_, name: keyof Upstream) => {
        const method = this.origin[name] as (...args: unknown[]) => unknown;
        return method.bind(this.origin);
      },
    });
  }

  get origin(): Origin {
    if (this.#origin === undefined) throw new Error('not started');
    return this.#origin;
  }

  async start(): Promise<void> {
    const stores = await this.#disks.open((disk) => disk.open());
    this.#origin = await this.#chain.origin('o', { stores });
  }

  /** Its record of that key, held or not, cannot be read from now on. */
  async damage(key: string): Promise<void> {
    const { id: namespace } = await this.origin.find('ns');
    await this.origin.close();
    this.#disks.present.damage({ namespace, key });
    await this.start();
  }
}

let chain: Chain;
let source: Restarted;

beforeEach(async () => {
  chain = new Chain();
  source = new Restarted(chain);
  await source.start();
  await source.origin.create('ns', aCall());
  for (const key of ['a', 'k', 'z']) await put(source.origin, key, `${key} 1`);
});

afterEach(() => chain.close());

async function live(edge: Edge): Promise<void> {
  await until(async () => {
    const { scopes } = await edge.status();
    return scopes.length > 0 && scopes.every(({ state, boundMs }) => state === 'live' && boundMs !== undefined);
  });
}

async function copyOf(upstream: Upstream, copyStore = new MemoryDisk().open()): Promise<Edge> {
  const edge = await chain.edge('copy', [upstream], { replicate: ['*'], copyStore });
  await live(edge);
  return edge;
}

async function cacheOf(...upstreams: readonly Upstream[]): Promise<Edge> {
  const edge = await chain.edge('cache', upstreams, { feedValues: { kind: 'all' } });
  await live(edge);
  return edge;
}

/** What a read says: the source and the text, or the error's code. */
async function said(node: Upstream, key: string): Promise<string> {
  return get(node, key).then(
    (answer) => `${answer.source}: ${textOf(answer) ?? 'absent'}`,
    (error: { readonly code: string }) => error.code,
  );
}

const says = (node: Upstream, key: string, what: string) => until(async () => (await said(node, key)) === what);

describe('of a record that its origin lost, a new copy', () => {
  it('goes past it, says DATA_LOSS of it and answers all else', async () => {
    await source.damage('k');
    const edge = await copyOf(source.upstream);
    expect([await said(edge, 'a'), await said(edge, 'k'), await said(edge, 'z')]).toEqual([
      'copy: a 1',
      'DATA_LOSS',
      'copy: z 1',
    ]);
    expect((await edge.status()).storage?.damagedRecords).toBe(1);
  });

  it('names it in lists, and knows that the digest is unknown', async () => {
    await source.damage('k');
    const edge = await copyOf(source.upstream);
    const { keys } = await edge.list({ namespace: 'ns', prefix: '', limit: 10, session: emptySession }, aCall());
    expect(keys.map(({ key, damaged = false }) => [key, damaged])).toEqual([
      ['a', false],
      ['k', true],
      ['z', false],
    ]);
    const digests = await edge.digest({ second: 0 }, aCall());
    expect(digests).toMatchObject([{ title: 'ns', records: 2, damaged: 1 }]);
    expect(digests[0]?.digest).toBeUndefined();
  });

  it('says so after its own restart, also while the origin is away', async () => {
    await source.damage('k');
    const disk = new MemoryDisk();
    const [before, cable] = [disk.open(), new Cable(source.upstream)];
    const first = await copyOf(cable.upstream, before);
    await first.close();
    await before.close();
    const edge = await copyOf(cable.upstream, disk.open());
    expect(await said(edge, 'k')).toBe('DATA_LOSS');
    cable.cut = true;
    expect(await said(edge, 'k')).toBe('UNAVAILABLE');
    expect(await said(edge, 'z')).toBe('copy: z 1');
  });

  it.each(['put', 'delete'] as const)('has what is written there later by a %s', async (kind) => {
    await source.damage('k');
    const edge = await copyOf(source.upstream);
    const mutation = kind === 'put' ? { kind, key: 'k', value: Buffer.from('k 2') } : { kind, key: 'k' };
    await source.origin.write({ namespace: 'ns', session: emptySession, mutations: [mutation] }, aCall());
    await says(edge, 'k', kind === 'put' ? 'copy: k 2' : 'copy: absent');
    expect((await edge.status()).storage?.damagedRecords).toBe(0);
  });

  it('has what is written through it', async () => {
    await source.damage('k');
    const edge = await copyOf(source.upstream);
    await put(edge, 'k', 'k 2');
    await says(edge, 'k', 'copy: k 2');
    expect(await said(source.origin, 'k')).toBe('origin: k 2');
  });
});

describe('of a record that its origin lost, a copy that was there before', () => {
  it('keeps the record, after a restart of either and after a resync', async () => {
    const disk = new MemoryDisk();
    const before = disk.open();
    const first = await copyOf(source.upstream, before);
    await source.damage('k');
    await put(source.origin, 'a', 'a 2');
    await says(first, 'a', 'copy: a 2');
    expect(await said(first, 'k')).toBe('copy: k 1');
    await first.close();
    await before.commit({
      puts: [],
      removals: [],
      meta: new Map([['replica/progress', Buffer.from('{"kind":"void"}')]]),
      sync: true,
    });
    await before.close();
    expect(await said(await copyOf(source.upstream, disk.open()), 'k')).toBe('copy: k 1');
  });

  it('gives up an earlier record, which is not what was last written', async () => {
    const cable = new Cable(source.upstream);
    const edge = await copyOf(cable.upstream);
    cable.cut = true;
    await put(source.origin, 'k', 'k 2');
    await source.damage('k');
    await put(source.origin, 'a', 'a 2');
    cable.cut = false;
    await says(edge, 'a', 'copy: a 2');
    expect(await said(edge, 'k')).toBe('DATA_LOSS');
  });
});

describe('of a record that its origin lost, a relay', () => {
  it('tells an edge below that comes later, and one that followed before, what it is told itself', async () => {
    const cable = new Cable(source.upstream);
    const relay = await copyOf(cable.upstream);
    const before = await copyOf(relay);
    cable.cut = true;
    await put(source.origin, 'k', 'k 2');
    await source.damage('k');
    await put(source.origin, 'a', 'a 2');
    cable.cut = false;
    for (const edge of [relay, before]) await says(edge, 'a', 'copy: a 2');
    const later = await copyOf(relay);
    for (const edge of [relay, before, later]) expect(await said(edge, 'k')).toBe('DATA_LOSS');
    await put(source.origin, 'k', 'k 3');
    for (const edge of [relay, before, later]) await says(edge, 'k', 'copy: k 3');
  });

  it('tells one that goes on from where it was', async () => {
    const above = new Cable(source.upstream);
    const relay = await copyOf(above.upstream);
    const between = new Cable(relay);
    const edge = await copyOf(between.upstream);
    for (const cable of [above, between]) cable.cut = true;
    await put(source.origin, 'k', 'k 2');
    await source.damage('k');
    above.cut = false;
    await put(source.origin, 'a', 'a 2');
    await says(relay, 'a', 'copy: a 2');
    between.cut = false;
    await says(edge, 'a', 'copy: a 2');
    expect(await said(edge, 'k')).toBe('DATA_LOSS');
  });
});

describe('of a record that its origin lost, a cache', () => {
  it('says DATA_LOSS, keeps the very record that it has, and gives up an earlier one', async () => {
    await source.damage('z');
    const cable = new Cable(source.upstream);
    const edge = await cacheOf(cable.upstream);
    expect(await said(edge, 'z')).toBe('DATA_LOSS');
    for (const key of ['a', 'k']) expect(await said(edge, key)).toBe(`origin: ${key} 1`);
    cable.cut = true;
    await put(source.origin, 'k', 'k 2');
    for (const key of ['a', 'k']) await source.damage(key);
    await put(source.origin, 'new', '1');
    cable.cut = false;
    const { origin } = source;
    await until(async () => (await origin.status()).followers.some(({ name }) => name === 'cache'));
    await says(edge, 'k', 'DATA_LOSS');
    expect(await said(edge, 'a')).toBe('cache: a 1');
  });

  it('asks its next upstream, and says DATA_LOSS where that is away', async () => {
    const whole = new Cable(await copyOf(source.upstream));
    await source.damage('k');
    const edge = await cacheOf(source.upstream, whole.upstream);
    expect(await said(edge, 'k')).toBe('copy: k 1');
    whole.cut = true;
    await source.damage('z');
    expect(await said(edge, 'z')).toBe('DATA_LOSS');
  });
});
