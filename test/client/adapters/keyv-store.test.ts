import Keyv, { type KeyvStoreAdapter } from 'keyv';
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { KeyvStore } from '../../../src/client/adapters/keyv-store.ts';
import { type ServedNamespace, serveNamespace } from './served-namespace.ts';

let served: ServedNamespace;
let keyv: Keyv;

beforeAll(async () => {
  served = await serveNamespace();
});

beforeEach(async () => {
  keyv = new Keyv({ store: new KeyvStore(served.namespace), namespace: 'app' });
  await new KeyvStore(served.namespace).clear();
});

afterAll(() => served?.close());

describe('Keyv over a namespace', () => {
  it('gets, sets, deletes and tells what was there', async () => {
    await keyv.set('a', { n: 1 });
    expect([await keyv.get('a'), await keyv.has('a'), await keyv.get('b')]).toEqual([{ n: 1 }, true, undefined]);
    expect([await keyv.delete('a'), await keyv.delete('a'), await keyv.has('a')]).toEqual([true, false, false]);
  });

  it('keeps the order of many keys, more than one call takes, absent ones among them', async () => {
    const keys = Array.from({ length: 150 }, (_, i) => `k${i}`);
    await keyv.setMany(keys.map((key, value) => ({ key, value })));
    const wanted = [...keys, 'absent'].reverse();
    expect(await keyv.get(wanted)).toEqual([undefined, ...keys.map((_, i) => i).reverse()]);
    expect(await keyv.has(['k3', 'absent'])).toEqual([true, false]);
    expect(await keyv.delete(keys)).toBe(true);
    expect(await keyv.delete(keys)).toBe(false);
  });

  it('rounds a ttl up to whole seconds, and keeps for ever without one', async () => {
    await keyv.set('short', 1, 1500);
    await keyv.set('ever', 1);
    const expirations = [];
    for await (const { name, expiration } of served.namespace.keys()) expirations.push([name, expiration]);
    const seconds = Math.ceil(Date.now() / 1000);
    expect(expirations).toEqual([
      ['app:ever', undefined],
      ['app:short', expect.toSatisfy((at: number) => at > seconds - 20 && at <= seconds + 3)],
    ]);
  });

  it('clears one namespace of Keyv, or all where it has none', async () => {
    const other = new Keyv({ store: new KeyvStore(served.namespace), namespace: 'other' });
    await Promise.all([keyv.set('x', 1), other.set('x', 2)]);
    await keyv.clear();
    expect([await keyv.get('x'), await other.get('x')]).toEqual([undefined, 2]);
    await new KeyvStore(served.namespace).clear();
    expect(await other.get('x')).toBeUndefined();
  });

  it('iterates over one namespace of Keyv', async () => {
    await keyv.set('x', 'X');
    await served.namespace.put('other:y', 'Y');
    const seen = [];
    for await (const entry of new KeyvStore(served.namespace).iterator('app')) seen.push(entry);
    expect(seen).toEqual([['app:x', expect.stringContaining('"X"')]]);
  });

  it('gives a value that begins with a byte-order mark as it is stored, by each of its ways', async () => {
    const store = new KeyvStore(served.namespace);
    await store.set('bom:x', '\ufeffX');
    const seen = [];
    for await (const entry of store.iterator('bom')) seen.push(entry);
    expect(seen).toEqual([['bom:x', '\ufeffX']]);
    expect([await store.get('bom:x'), ...(await store.getMany(['bom:x']))]).toEqual(['\ufeffX', '\ufeffX']);
  });

  it('is a storage adapter by its type', () => {
    expectTypeOf<KeyvStore>().toExtend<Omit<KeyvStoreAdapter, 'get' | 'getMany' | 'iterator'>>();
  });
});
