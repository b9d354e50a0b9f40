import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Epochs } from '../../src/model/epoch.ts';
import type { Opened } from '../../src/model/feed.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { announced, CacheDriver, origin, vector, written } from './cache-driver.ts';

let cache: CacheDriver;
beforeEach(async () => {
  cache = await CacheDriver.open();
});
afterEach(() => cache.close());

/** The openings of the origin: which one, and the first sequence that it wrote. */
function openings(...starts: Array<readonly [epoch: number, first: number]>): Epochs {
  return new Map([[origin, starts.map(([epoch, first]) => ({ epoch, first }))]]);
}

/** A stream of this server that ends in caught-up. */
async function follow(server: string, sequence: number, epochs: Epochs): Promise<void> {
  await open(server);
  await cache.part.apply({ kind: 'caught-up', vector: vector(sequence), floor: new Map(), settled: new Map(), epochs });
}

function open(id: string): Promise<void> {
  const node: Opened['node'] = { name: id, role: 'origin', id, region: 'r' };
  return cache.part.opened({ kind: 'opened', node, nonce: 'n', clusterId: 'c', generation: 'g', wallMs: 0 });
}

/** The sequence of what is kept of an upstream's answer that covers so much, as of this opening. */
async function kept(sequence: number, covered: number, epoch: number, key = `k${sequence}`) {
  cache.epoch = epoch;
  await cache.keep(written(sequence, key), covered);
  return cache.held(key);
}

describe('what a cache keeps of a load', () => {
  it('forgets what is ahead of the feed of an origin whose openings it hears of for the first time (R16)', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(4), 4);
    const openings = [
      { epoch: 1, first: 1 },
      { epoch: 2, first: 4 },
    ];
    const epochs = new Map([[written(4).position.origin, openings]]);
    await cache.part.apply({ kind: 'changes', records: [], epochs });
    expect(await cache.held()).toBeUndefined();
    cache.epoch = 2;
    await cache.keep(written(5), 5);
    await cache.part.apply({ kind: 'changes', records: [], epochs });
    expect(await cache.held()).toBe('5');
  });

  it('keeps nothing of another life of a disk than the one that it knows, or of nobody knows which (R16)', async () => {
    await cache.caughtUp(1);
    const history = [
      { epoch: 1, first: 1 },
      { epoch: 2, first: 4 },
    ];
    await cache.part.apply({ kind: 'changes', records: [], epochs: new Map([[origin, history]]) });
    for (const epoch of [1, 3, undefined]) {
      cache.epoch = epoch;
      await cache.keep(written(5), 4);
      expect(await cache.held(), `of opening ${epoch}`).toBeUndefined();
    }
    cache.epoch = 1;
    await cache.keep(written(3), 3);
    expect(await cache.held(), 'from before they parted').toBe('3');
  });

  it('keeps nothing that was loaded, or looked for, while it hears that a life of a disk was lost (R16)', async () => {
    await cache.caughtUp(1);
    const heard = [{ epoch: 1, first: 1 }];
    await cache.part.apply({ kind: 'changes', records: [], epochs: new Map([[origin, heard]]) });
    cache.epoch = 1;
    const loading = cache.load();
    const asked = await cache.nextAsked();
    const before = cache.part.generation();
    const hearing = cache.part.apply({
      kind: 'changes',
      records: [],
      epochs: new Map([[origin, [...heard, { epoch: 2, first: 4 }]]]),
    });
    expect(cache.part.generation(), 'a look under way is void').toBe(before + 1);
    expect(cache.part.mayInstall, 'and what ends meanwhile is').toBe(false);
    asked.answer(written(4), 4);
    await cache.keep(written(5, 'j'), 5);
    await Promise.all([loading, hearing]);
    expect(cache.part.mayInstall).toBe(true);
    expect(await cache.held()).toBeUndefined();
    expect(await cache.held('j')).toBeUndefined();
  });
});

describe('a cache that heard of an opening in a life that is lost', () => {
  it('counts the opening that took its place', async () => {
    await follow('relay', 10, openings([1, 1]));
    await open('relay');
    // A scan that broke off: told, and not covered.
    await cache.part.apply({ kind: 'changes', records: [announced(11, 'z')], epochs: openings([1, 1], [2, 21]) });
    await follow('other', 15, openings([1, 1], [3, 11]));
    expect(await kept(18, 20, 1), 'of the lost life').toBeUndefined();
    expect(await kept(15, 15, 3), 'of the new one').toBe('15');
  });

  it('counts it still at an upstream that has yet to hear of that', async () => {
    await follow('relay', 15, openings([1, 1], [3, 11]));
    await follow('other', 10, openings([1, 1], [2, 21]));
    expect(await kept(18, 20, 1), 'of the lost life').toBeUndefined();
    expect(await kept(12, 15, 3), 'of the new one').toBe('12');
  });

  it('counts what was told last of two that begin at the same', async () => {
    await follow('relay', 10, openings([1, 1], [2, 11]));
    await follow('relay', 12, openings([1, 1], [3, 11]));
    expect(await kept(12, 12, 3)).toBe('12');
  });

  it('begins anew where the origin itself knows another one: nobody knows better of its log', async () => {
    await follow('relay', 10, openings([1, 1], [2, 11]));
    const told = openings([1, 1], [3, 16]);
    await expect(follow('relay', 20, told)).rejects.toMatchObject({ details: { reason: 'lost-life' } });
    expect(await cache.part.start()).toMatchObject({ kind: 'cursor' });
    await expect(follow(origin, 20, told)).rejects.toMatchObject({ details: { reason: 'begins-anew' } });
    expect(await cache.part.start()).toEqual({ kind: 'nothing' });
    await follow(origin, 20, told);
    expect(await kept(20, 20, 3)).toBe('20');
  });
});

describe('what the feed showed that counts no more', () => {
  it('is not asked of an answer, where its life was lost', async () => {
    await follow('relay', 10, openings([1, 1]));
    await open('relay');
    await cache.part.apply({ kind: 'changes', records: [announced(18, 'z')], epochs: openings([1, 1]) });
    await follow('relay', 11, openings([1, 1], [3, 11]));
    expect(await kept(9, 11, 3)).toBe('9');
  });

  it('is not asked of an answer, where it is beyond a final sequence', async () => {
    await follow('relay', 15, openings([1, 1]));
    const step = { vector: vector(15), floor: new Map(), settled: new Map() };
    await cache.part.apply({ kind: 'changes', records: [announced(18, 'z')], step });
    const removed = { id: origin, name: 'o', final: 15, heir: '2'.repeat(16), adopters: [] };
    const value = Buffer.from(JSON.stringify(removed));
    const record = { ...written(14, `retired/${origin}`), namespace: registryNamespace, value };
    await cache.part.apply({ kind: 'changes', records: [record], step });
    expect(await kept(9, 15, 1)).toBe('9');
  });

  it('supersedes nothing for good', async () => {
    await follow('relay', 10, openings([1, 1]));
    expect(await kept(5, 10, 1, 'x')).toBe('5');
    await open('relay');
    await cache.part.apply({ kind: 'changes', records: [announced(12, 'x')], epochs: openings([1, 1]) });
    expect(await cache.held('x')).toBe('old 5');
    await follow('relay', 14, openings([1, 1], [3, 11]));
    expect(await kept(5, 14, 3, 'x')).toBe('5');
  });

  it('is not found again by a look at the disk that began meanwhile', async () => {
    await follow('relay', 10, openings([1, 1]));
    expect(await kept(12, 15, 1, 'x')).toBe('12');
    cache = await cache.reopened();
    const { store } = cache.part.ledger;
    const [read, snapshot] = [store.read.bind(store), store.snapshot.bind(store)];
    let pass = () => {};
    const gate = new Promise<void>((resolve) => {
      pass = resolve;
    });
    let looking: ReturnType<CacheDriver['held']> | undefined;
    // The look begins with the forgetting, and ends behind it.
    store.read = async (key) => {
      const found = await read(key);
      await gate;
      return found;
    };
    store.snapshot = () => {
      looking ??= cache.held('x');
      return snapshot();
    };
    await follow('relay', 11, openings([1, 1], [3, 11]));
    pass();
    expect(await looking).toBeUndefined();
    store.read = read;
    expect(await cache.held('x')).toBeUndefined();
  });
});
