import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EdgeObserver, silentEdgeObserver } from '../../src/edge/observer.ts';
import { MeridianError } from '../../src/model/errors.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import { removeRecords } from '../../src/replication/remove-records.ts';
import { announced, CacheDriver, log, namespace, vector, written } from './cache-driver.ts';

let cache: CacheDriver;
beforeEach(async () => {
  cache = await CacheDriver.open();
});
afterEach(() => cache.close());

const text = (answer: { record: unknown }) => Buffer.from((answer.record as { value: Uint8Array }).value).toString();

describe('what a cache keeps of a load', () => {
  it('keeps what a responder answers that covers all that was shown', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    expect(await cache.held()).toBe('1');
  });

  it('keeps a known absence, until the feed shows a record', async () => {
    await cache.caughtUp(1);
    const loading = cache.load();
    (await cache.nextAsked()).answer(undefined, 1);
    expect((await loading).record).toBeUndefined();
    expect(await cache.held()).toBe('absent');
    await cache.show(2, written(2));
    expect(await cache.held()).toBe('2');
  });

  it('passes on and does not keep what a responder answers that covers less than was shown (R13)', async () => {
    await cache.caughtUp(1);
    await cache.show(5, announced(5));
    const loading = cache.load();
    (await cache.nextAsked()).answer(written(4), 4);
    expect(text(await loading)).toBe('4');
    expect(await cache.held()).toBeUndefined();
  });

  it('loads again what is older than the feed named meanwhile (R12)', async () => {
    await cache.caughtUp(1);
    const loading = cache.load();
    const first = await cache.nextAsked();
    await cache.show(2, announced(2));
    first.answer(written(1), 1);
    (await cache.nextAsked()).answer(written(2), 2);
    expect(text(await loading)).toBe('2');
    expect(await cache.held()).toBe('2');
  });

  it('gives up loading again after some tries, and says that the answer is past', async () => {
    await cache.caughtUp(1);
    const loading = cache.load();
    const first = await cache.nextAsked();
    await cache.show(2, announced(2));
    first.answer(written(1), 1);
    (await cache.nextAsked()).answer(written(1), 1);
    (await cache.nextAsked()).answer(written(1), 1);
    const answer = await loading;
    expect(answer.past).toBe(true);
    expect(answer.bound).toBeUndefined();
    expect(await cache.held()).toBeUndefined();
  });

  it('keeps nothing that was asked for before it first caught up: what was written meanwhile is never shown', async () => {
    const loading = cache.load();
    const asked = await cache.nextAsked();
    await cache.caughtUp(2);
    asked.answer(written(1), 1);
    await loading;
    expect(await cache.held()).toBeUndefined();
  });

  it('keeps nothing that was asked for before a resync, or during one', async () => {
    await cache.caughtUp(1);
    const before = cache.load('k');
    const askedBefore = await cache.nextAsked();
    await cache.resync();
    const during = cache.load('l');
    const askedDuring = await cache.nextAsked();
    await cache.caughtUp(9);
    askedBefore.answer(written(1), 1);
    askedDuring.answer(written(1, 'l'), 1);
    await Promise.all([before, during]);
    expect(await cache.held('k')).toBeUndefined();
    expect(await cache.held('l')).toBeUndefined();
  });

  it('holds nothing as valid that the feed supersedes while it is being installed', async () => {
    await cache.caughtUp(1);
    await Promise.all([cache.scope.install(written(3)), cache.show(4, announced(4))]);
    expect(await cache.held()).not.toBe('3');
  });
});

/** Keeps a record on disk alone. What reads of the disk say from now on comes once the result is called. */
async function heldOnDisk(): Promise<() => void> {
  await cache.caughtUp(1);
  await cache.keep(written(1), 1);
  cache = await cache.reopened();
  await cache.caughtUp(1);
  const { store } = cache.scope.ledger;
  const read = store.read.bind(store);
  let goOn = () => {};
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  vi.spyOn(store, 'read').mockImplementation(async (key) => {
    const record = await read(key);
    await held;
    return record;
  });
  return goOn;
}

describe('what the feed does to what is held', () => {
  it('holds nothing as valid that the upstream has lost since, though the disk was read before that was kept', async () => {
    const goOn = await heldOnDisk();
    const lost = { records: [{ namespace, key: 'k', position: { log, sequence: 2 } }], upTo: vector(2) };
    const step = { vector: vector(2), stable: new Map() };
    const applied = cache.scope.apply({ kind: 'changes', records: [], lost, step });
    const found = cache.held();
    await applied;
    goOn();
    expect(await found).toBeUndefined();
    expect(await cache.held()).toBeUndefined();
  });

  it('holds nothing that was repaired, though the disk was read before that was done', async () => {
    const goOn = await heldOnDisk();
    const found = cache.held();
    await new Promise((resolve) => setTimeout(resolve, 20)); // The disk has said what it holds.
    expect(await cache.scope.repair({ namespace, key: 'k' }, written(1))).toBe(true);
    goOn();
    expect(await found).toBeUndefined();
    expect(await cache.held()).toBeUndefined();
  });

  it('replaces a value by a later one, and not by an earlier one', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(3), 3);
    await cache.show(2, written(2));
    expect(await cache.held()).toBe('3');
    await cache.show(4, written(4));
    expect(await cache.held()).toBe('4');
  });

  it('takes nothing more of a namespace that is deleted, though its key is held (R18)', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    const registered = { namespace: registryNamespace, key: `namespace/${namespace}` };
    await cache.show(2, { ...written(2), ...registered, value: Buffer.from('{"title":"t","home":"h"}') });
    const { kind: _kind, value: _value, ...end } = { ...written(3), ...registered };
    await cache.show(3, { ...end, kind: 'tombstone' });
    await cache.show(4, written(4));
    expect((await cache.scope.ledger.store.read({ namespace, key: 'k' }))?.position.sequence).toBe(1);
  });

  it('ignores keys that nobody asked for', async () => {
    await cache.caughtUp(1);
    await cache.show(2, written(2));
    expect(await cache.held()).toBeUndefined();
  });

  it('keeps the value of an announced key as superseded, with a bound that grows from the last echo', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    cache.tracker.echoed({ id: cache.tracker.probe(), bound: { boundMs: 7, root: written(1).position.log } });
    cache.clock.advance(10);
    await cache.show(2, announced(2));
    cache.tracker.echoed({ id: cache.tracker.probe(), bound: { boundMs: 0, root: written(1).position.log } });
    cache.clock.advance(5);
    const found = await cache.scope.lookup(written(1));
    expect(found?.superseded).toBe(true);
    expect(found?.bound?.boundMs).toBe(22);
    expect(cache.scope.bound()?.boundMs).toBe(5);
  });

  it('does not know how old a superseded value is once the machine has slept since', async () => {
    const root = written(1).position.log;
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    cache.tracker.echoed({ id: cache.tracker.probe(), bound: { boundMs: 0, root } });
    await cache.show(2, announced(2));
    cache.clock.suspend(3_600_000);
    cache.tracker.echoed({ id: cache.tracker.probe(), bound: { boundMs: 0, root } });
    expect(cache.scope.bound()?.boundMs).toBe(0);
    const found = await cache.scope.lookup(written(1));
    expect([found?.superseded, found?.bound]).toEqual([true, undefined]);
  });

  it('takes nothing that is earlier than what was announced, also where another upstream announces an earlier one since', async () => {
    const other = '2'.repeat(16) as LogId;
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    await cache.show(9, announced(9));
    // Of another origin's log, at an upstream that has yet to hear of 9: large first, and then small.
    await cache.show(9, { ...announced(7), position: { log: other, sequence: 1 } });
    await cache.show(9, { ...written(8), position: { log: other, sequence: 2 } });
    expect(await cache.held()).toBe('old 1');
    await cache.show(9, written(9));
    expect(await cache.held()).toBe('9');
  });

  it('keeps what is loaded while the value of an announced key is looked for', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    cache = await cache.reopened(); // So that it is on disk alone.
    await cache.caughtUp(1);
    const { store } = cache.scope.ledger;
    const read = store.read.bind(store);
    let goOn = () => {};
    const looked = new Promise<void>((resolve) => {
      store.read = async (key) => {
        const found = await read(key);
        resolve();
        await new Promise<void>((run) => {
          goOn = run;
        });
        return found;
      };
    });
    const showing = cache.show(2, announced(2));
    await looked;
    await cache.keep(written(3), 3);
    goOn();
    await showing;
    expect(await cache.held()).toBe('3');
  });

  it('forgets all it holds at a resync, for good', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    await cache.resync();
    expect(await cache.held()).toBeUndefined();
    expect(await cache.scope.start()).toEqual({ kind: 'nothing' });
    await cache.caughtUp(5);
    expect(await cache.held()).toBeUndefined();
    cache = await cache.reopened();
    expect(await cache.held()).toBeUndefined();
  });
});

describe('a restart of a cache', () => {
  it('keeps what was held, goes on from the cursor, and knows no bound until the next echo', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    cache = await cache.reopened();
    expect(await cache.held()).toBe('1');
    expect(cache.scope.bound()).toBeUndefined();
    const start = await cache.scope.start();
    expect(start.kind === 'cursor' && [...start.cursor.values()]).toEqual([1]);
    await cache.show(2, announced(2));
    expect(await cache.held()).toBe('old 1');
  });

  it('says at once how much is on disk, though nothing of it is in memory yet', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    await cache.keep(written(1, 'other'), 1);
    const { bytes } = await cache.scope.status();
    const told = new Map<string, readonly [number, number]>();
    const cacheSized: EdgeObserver['cacheSized'] = (at, entries, size) => told.set(at, [entries, size]);
    cache = await cache.reopened({ edgeObserver: { ...silentEdgeObserver, cacheSized } });
    expect(await cache.scope.status()).toMatchObject({ records: 2, bytes });
    expect([...told]).toEqual([
      ['memory', [0, 0]],
      ['disk', [2, bytes]],
    ]);
  });

  it('brings nothing back that was announced before it', async () => {
    await cache.caughtUp(1);
    await cache.keep(written(1), 1);
    await cache.show(2, announced(2));
    cache = await cache.reopened();
    expect(await cache.held()).toBeUndefined();
    expect(cache.scope.ledger.state.covered).toEqual(vector(2));
  });
});

describe('the bound of a cache on disk', () => {
  it('is kept by eviction, and counts what announcements take away', async () => {
    await cache.close();
    cache = await CacheDriver.open({ memoryBytesMax: 1000, diskBytesMax: 2000 });
    await cache.caughtUp(1);
    for (let i = 1; i <= 40; i++) await cache.keep(written(i, `key-${i}`), i);
    await expect.poll(async () => (await cache.scope.status()).bytes).toBeLessThanOrEqual(2000);
    expect((await cache.scope.status()).bytes).toBeGreaterThan(0);
    for (let i = 1; i <= 40; i++) await cache.show(100 + i, announced(100 + i, `key-${i}`));
    expect((await cache.scope.status()).bytes).toBe(0);
  });

  it('is counted again, and nothing evicted, where what was counted went by other ways', async () => {
    await cache.close();
    cache = await CacheDriver.open({ memoryBytesMax: 1, diskBytesMax: 4000 });
    await cache.caughtUp(1);
    for (let i = 1; i <= 20; i++) await cache.keep(written(i, `gone-${i}`), i);
    await removeRecords(cache.scope.ledger, { namespace });
    cache.scope.changedElsewhere();
    for (let i = 21; i <= 38; i++) await cache.keep(written(i, `kept-${i}`), i);
    for (let i = 21; i <= 38; i++) expect(await cache.held(`kept-${i}`)).toBe(`${i}`);
  });

  it('counts metadata, and is kept without a miss where the feed makes entries larger', async () => {
    await cache.close();
    cache = await CacheDriver.open({ memoryBytesMax: 1000, diskBytesMax: 8000 });
    await cache.caughtUp(1);
    const described = { ...written(1, 'described'), metadata: JSON.stringify('m'.repeat(1000)) };
    await cache.keep(described, 1);
    expect((await cache.scope.status()).bytes).toBeGreaterThan(1000);
    for (let i = 2; i <= 20; i++) await cache.keep(written(i, `key-${i}`), i);
    for (let i = 2; i <= 20; i++) {
      await cache.show(100 + i, { ...written(100 + i, `key-${i}`), value: Buffer.alloc(1000) });
    }
    expect((await cache.scope.status()).bytes).toBeGreaterThan(8000);
    const stopping = new AbortController();
    const keeping = cache.scope.keepDiskBound(1000, stopping.signal);
    cache.clock.advance(1000);
    await expect.poll(async () => (await cache.scope.status()).bytes, { timeout: 20_000 }).toBeLessThanOrEqual(8000);
    stopping.abort(new Error('the test is over'));
    await expect(keeping).rejects.toThrow('the test is over');
  });
});

describe('loads', () => {
  it('are shared by all who miss the same key with the same wishes', async () => {
    await cache.caughtUp(1);
    const loading = Promise.all(Array.from({ length: 50 }, () => cache.load()));
    (await cache.nextAsked()).answer(written(1), 1);
    expect((await loading).map(text)).toEqual(Array.from({ length: 50 }, () => '1'));
    expect(cache.asked).toHaveLength(0);
  });

  it('tell an age that counts also the time that keeping the answer took', async () => {
    await cache.caughtUp(1);
    const loading = cache.load();
    (await cache.nextAsked()).answer(written(1), 1);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    cache.clock.advance(40);
    expect((await loading).bound?.boundMs).toBe(40);
  });

  it('tell no age where the machine has slept meanwhile', async () => {
    await cache.caughtUp(1);
    const loading = cache.load();
    const asked = await cache.nextAsked();
    cache.clock.suspend(60_000);
    asked.answer(written(1), 1);
    const answer = await loading;
    expect([text(answer), answer.bound]).toEqual(['1', undefined]);
  });

  it('are never shared by reads that ask the origin', async () => {
    await cache.caughtUp(1);
    const loading = Promise.all([cache.load('k', { maxStalenessMs: 0 }), cache.load('k', { maxStalenessMs: 0 })]);
    (await cache.nextAsked()).answer(written(1), 1);
    (await cache.nextAsked()).answer(written(2), 2);
    expect((await loading).map(text)).toEqual(['1', '2']);
  });

  it('go on for the others when one who waits gives up, and end when nobody is left', async () => {
    await cache.caughtUp(1);
    const leaving = new AbortController();
    const first = cache.load('k', {}, { signal: leaving.signal });
    const second = cache.load('k', {}, { deadlineMs: cache.clock.monotonicMs() + 50 });
    const asked = await cache.nextAsked();
    leaving.abort(new Error('gone'));
    await expect(first).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(asked.signal.aborted).toBe(false);
    cache.clock.advance(50);
    await expect(second).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(asked.signal.aborted).toBe(true);
  });

  it('are not joined once they are given up', async () => {
    await cache.caughtUp(1);
    const leaving = new AbortController();
    const first = cache.load('k', {}, { signal: leaving.signal });
    await cache.nextAsked();
    leaving.abort(new Error('gone'));
    await first.catch(() => {});
    const again = cache.load();
    (await cache.nextAsked()).answer(written(1), 1);
    expect(text(await again)).toBe('1');
  });

  it('fail for all who wait when the upstream fails', async () => {
    await cache.caughtUp(1);
    const loading = Promise.allSettled([cache.load(), cache.load()]);
    (await cache.nextAsked()).fail(new MeridianError('UNAVAILABLE', 'down', { reason: 'down' }));
    expect((await loading).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('wait for a permit in the order of coming where enough are under way', async () => {
    cache = await cache.reopened({ loadsMax: 1 });
    await cache.caughtUp(1);
    const loads = ['a', 'b', 'c'].map((key) => cache.load(key));
    for (const key of ['a', 'b', 'c']) {
      const asked = await cache.nextAsked();
      expect(cache.asked).toEqual([]);
      asked.answer(written(1, key), 1);
    }
    expect((await Promise.all(loads)).map(({ record }) => record?.key)).toEqual(['a', 'b', 'c']);
  });

  it('are refused with a retry delay where no permit became free before the deadline', async () => {
    cache = await cache.reopened({ loadsMax: 1 });
    await cache.caughtUp(1);
    const first = cache.load('a');
    const asked = await cache.nextAsked();
    const second = cache.load('b', {}, { deadlineMs: cache.clock.monotonicMs() + 100 });
    const refused = expect(second).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      details: { reason: 'too-many-loads', retryAfterMs: 200 },
    });
    cache.clock.advance(100);
    await refused;
    asked.answer(written(1, 'a'), 1);
    await first;
    const third = cache.load('c');
    (await cache.nextAsked()).answer(written(1, 'c'), 1);
    expect((await third).record?.key).toBe('c');
  });

  it('are refused at once where too many wait already', async () => {
    cache = await cache.reopened({ loadsMax: 1, loadsWaitingMax: 1 });
    await cache.caughtUp(1);
    const loads = [cache.load('a'), cache.load('b')];
    await expect(cache.load('c')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    for (const key of ['a', 'b']) (await cache.nextAsked()).answer(written(1, key), 1);
    await Promise.all(loads);
  });
});
