import { createStorage, type Driver, type Storage } from 'unstorage';
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { type UnstorageDriver, unstorageDriver } from '../../../src/client/adapters/unstorage-driver.ts';
import { type ServedNamespace, serveNamespace } from './served-namespace.ts';

let served: ServedNamespace;
let storage: Storage;

beforeAll(async () => {
  served = await serveNamespace();
});

beforeEach(async () => {
  storage = createStorage({ driver: unstorageDriver({ namespace: served.namespace }) });
  await storage.clear();
});

afterAll(() => served?.close());

// What unstorage's own tests ask of each of its drivers, which it does not publish.
describe('unstorage over a namespace', () => {
  it('sets, has, gets and removes', async () => {
    await storage.setItem('s1:a', 'test_data');
    expect([await storage.hasItem('s1:a'), await storage.getItem('s1:a')]).toEqual([true, 'test_data']);
    await storage.removeItem('s1:a');
    expect([await storage.hasItem('s1:a'), await storage.getItem('s1:a')]).toEqual([false, null]);
  });

  it('tells keys, all and below a base', async () => {
    for (const key of ['s1:a', 's2:a', 's3:a']) await storage.setItem(key, 'x');
    expect((await storage.getKeys()).sort()).toEqual(['s1:a', 's2:a', 's3:a']);
    expect(await storage.getKeys('s1')).toEqual(['s1:a']);
  });

  it('serialises what is no text, and keeps raw bytes', async () => {
    await storage.setItem('json', { list: [1, null], on: true });
    expect(await storage.getItem('json')).toEqual({ list: [1, null], on: true });
    const bytes = new Uint8Array([0, 255, 128]);
    await storage.setItemRaw('raw', bytes);
    expect(await storage.getItemRaw('raw')).toEqual(bytes);
    expect(await storage.getItemRaw('none')).toBeNull();
  });

  it('sets and gets many, more than one call takes', async () => {
    const items = Array.from({ length: 150 }, (_, i) => ({ key: `i${i}`, value: { i } }));
    await storage.setItems(items);
    expect(await storage.getItems([...items.map(({ key }) => key), 'none'])).toEqual([
      ...items,
      { key: 'none', value: null },
    ]);
  });

  it('clears below a base, and all', async () => {
    for (const key of ['a:1', 'a:2', 'b:1']) await storage.setItem(key, 'x');
    // The storage itself passes a base on to drivers that are mounted below it alone.
    await unstorageDriver({ namespace: served.namespace }).clear('a:');
    expect(await storage.getKeys()).toEqual(['b:1']);
    await storage.clear();
    expect(await storage.getKeys()).toEqual([]);
  });

  it('keeps a base of its own apart', async () => {
    const app = createStorage({ driver: unstorageDriver({ namespace: served.namespace, base: 'app' }) });
    await app.setItem('k', 'of app');
    await storage.setItem('k', 'of all');
    expect([await app.getItem('k'), await app.getKeys()]).toEqual(['of app', ['k']]);
    await app.clear();
    expect(await storage.getKeys()).toEqual(['k']);
  });

  it('expires by a ttl and tells when, with the time of writing', async () => {
    await storage.setItem('short', 'x', { ttl: 100 });
    const meta = await storage.getMeta('short');
    expect(meta).toMatchObject({ mtime: expect.any(Date), expiration: expect.any(Number) });
    expect(await storage.getMeta('none')).toEqual({});
  });

  it('tells watchers of changes until they are gone', async () => {
    const told: string[] = [];
    const unwatch = await storage.watch((event, key) => told.push(`${event} ${key}`));
    await expect
      .poll(
        async () => {
          await storage.setItem('probe', 'x');
          return told;
        },
        { timeout: 20_000 },
      )
      .toContain('update probe');
    await served.namespace.put('w:a', 'from elsewhere');
    await served.namespace.delete('w:a');
    await expect.poll(() => told, { timeout: 20_000 }).toContain('remove w:a');
    await unwatch();
  });

  it('ends its watches when its storage is disposed of', async () => {
    const watching = createStorage({ driver: unstorageDriver({ namespace: served.namespace }) });
    const told: string[] = [];
    await watching.watch((_, key) => told.push(key));
    const put = async (key: string) => {
      await served.namespace.put(key, 'x');
      return told;
    };
    await expect.poll(() => put('before'), { timeout: 20_000 }).toContain('before');
    await watching.dispose();
    told.length = 0;
    await put('after');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(told).toEqual([]);
  });

  it('is a driver by its type', () => {
    expectTypeOf<Driver>(unstorageDriver({ namespace: served.namespace }));
    expectTypeOf<UnstorageDriver['getItem']>().returns.resolves.toEqualTypeOf<string | null>();
  });
});
