import { afterEach, describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { CacheDriver, written } from './cache-driver.ts';

let cache: CacheDriver;

afterEach(() => cache.close());

describe('the disk of a cache that is nearly full', () => {
  it('evicts nothing for what a full disk refused', async () => {
    cache = await CacheDriver.open({ memoryBytesMax: 1, diskBytesMax: 4000 });
    await cache.caughtUp(1);
    for (let i = 1; i <= 20; i++) await cache.keep(written(i, `kept-${i}`), i);
    const { store } = cache.scope.ledger;
    const commit = store.commit.bind(store);
    store.commit = async () => {
      throw new MeridianError('RESOURCE_EXHAUSTED', 'the disk is full', { reason: 'disk-full' });
    };
    for (let i = 21; i <= 60; i++) await cache.keep(written(i, `refused-${i}`), i);
    store.commit = commit;
    await cache.keep(written(61, 'kept-61'), 61);
    await expect.poll(async () => (await cache.scope.status()).bytes).toBeLessThanOrEqual(4000);
    for (let i = 1; i <= 20; i++) expect(await cache.held(`kept-${i}`)).toBe(`${i}`);
  });

  it('keeps no load waiting while all is counted', async () => {
    cache = await CacheDriver.open({ memoryBytesMax: 1, diskBytesMax: 4000 });
    await cache.caughtUp(1);
    for (let i = 1; i <= 20; i++) await cache.keep(written(i, `key-${i}`), i);
    const { store } = cache.scope.ledger;
    const snapshot = store.snapshot.bind(store);
    let counted = () => {};
    const counting = new Promise<void>((resolve) => {
      counted = resolve;
    });
    let counts = 0;
    store.snapshot = () => {
      const view = snapshot();
      const records = view.records.bind(view);
      view.records = async function* (...args) {
        counts++;
        await counting;
        yield* records(...args);
      };
      return view;
    };
    cache.scope.changedElsewhere(); // Something expired, say.
    for (let i = 21; i <= 40; i++) await cache.keep(written(i, `key-${i}`), i);
    expect(counts).toBe(1);
    counted();
    await expect.poll(async () => (await cache.scope.status()).bytes).toBeLessThanOrEqual(4400);
  });
});
