import { describe, expect, test } from 'vitest';
import { KeyvStore } from '../../src/client/adapters/keyv-store.ts';
import { unstorageDriver } from '../../src/client/adapters/unstorage-driver.ts';
import type { BatchMutation } from '../../src/client/batch-write.ts';
import { fakeCluster } from './fake-cluster.ts';

/** An emoji that `slice` cut in two: a lone surrogate, which UTF-8 has not. */
const cut = '🙂'.slice(0, 1);
const key = `u:${cut}`;

async function first(items: AsyncIterable<unknown>): Promise<unknown> {
  return items[Symbol.asyncIterator]().next();
}

describe('text that is no UTF-8', () => {
  const made = () => {
    const { cluster, nodes } = fakeCluster();
    const namespace = cluster.namespace('flags');
    const keyv = new KeyvStore(namespace);
    const driver = unstorageDriver({ namespace });
    return { cluster, nodes, namespace, keyv, driver };
  };
  type Made = ReturnType<typeof made>;
  const batch = (mutation: BatchMutation): readonly BatchMutation[] => [{ kind: 'delete', key: 'a' }, mutation];

  test.each<[string, (made: Made) => unknown]>([
    ['get', ({ namespace }) => namespace.get(key)],
    ['get of many', ({ namespace }) => namespace.get(['a', key])],
    ['getWithMetadata', ({ namespace }) => namespace.getWithMetadata(key)],
    ['put', ({ namespace }) => namespace.put(key, 'one')],
    ['put of a value', ({ namespace }) => namespace.put('k', `one ${cut}`)],
    ['put of a stream of texts', ({ namespace }) => namespace.put('k', streamOf([`one ${cut}`]))],
    ['delete', ({ namespace }) => namespace.delete(key)],
    ['write of a put', ({ namespace }) => namespace.write(batch({ kind: 'put', key, value: 'v' }))],
    ['write of a delete', ({ namespace }) => namespace.write(batch({ kind: 'delete', key }))],
    ['list', ({ namespace }) => namespace.list({ prefix: key })],
    ['list from a cursor', ({ namespace }) => namespace.list({ cursor: key })],
    ['keys', ({ namespace }) => first(namespace.keys({ prefix: key }))],
    ['entries', ({ namespace }) => first(namespace.entries({ prefix: key }))],
    ['watch', ({ namespace }) => first(namespace.watch({ prefix: key }))],
    ['a namespace', ({ cluster }) => cluster.namespace(key).get('k')],
    ['creating a namespace', ({ cluster }) => cluster.namespaces.create(key)],
    ['finding a namespace', ({ cluster }) => cluster.namespaces.get(key)],
    ['renaming a namespace', ({ cluster }) => cluster.namespaces.rename('flags', key)],
    ['deleting a namespace', ({ cluster }) => cluster.namespaces.delete(key)],
    ['moving a home', ({ cluster }) => cluster.namespaces.moveHome('flags', key)],
    ['removing an origin', ({ cluster }) => cluster.removeMember({ name: key, force: false })],
    ['keyv: get', ({ keyv }) => keyv.get(key)],
    ['keyv: getMany', ({ keyv }) => keyv.getMany(['a', key])],
    ['keyv: set', ({ keyv }) => keyv.set(key, 'v')],
    ['keyv: delete', ({ keyv }) => keyv.delete(key)],
    ['unstorage: getItem', ({ driver }) => driver.getItem(key)],
    ['unstorage: getItems', ({ driver }) => driver.getItems([{ key }])],
    ['unstorage: setItem', ({ driver }) => driver.setItem(key, 'v')],
    ['unstorage: setItems', ({ driver }) => driver.setItems([{ key, value: 'v' }])],
    ['unstorage: removeItem', ({ driver }) => driver.removeItem(key)],
    ['unstorage: getKeys', ({ driver }) => driver.getKeys(key)],
    ['unstorage: clear', ({ driver }) => driver.clear(key)],
  ])('is refused by %s before anything is sent', async (_, call) => {
    const all = made();
    await expect(async () => call(all)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/lone surrogate \(\\ud83d\)$/),
    });
    expect(all.nodes.flatMap(({ calls, watches }) => [...calls, ...watches])).toEqual([]);
  });

  test('is named by its place in a batch', async () => {
    const { namespace } = made();
    const mutations = batch({ kind: 'put', key, value: 'v' });
    await expect(namespace.write(mutations)).rejects.toThrow(
      'mutation 1 of 2: a key is no UTF-8 text: its UTF-16 unit 3 is a lone surrogate (\\ud83d)',
    );
    await expect(namespace.get(['a', key])).rejects.toThrow('key 1 of 2: a key is no UTF-8 text');
  });

  test('may stand in metadata, whose JSON escapes it', async () => {
    const { namespace } = made();
    await namespace.put('k', 'v', { metadata: { cut } });
    expect((await namespace.getWithMetadata('k')).metadata).toEqual({ cut });
  });
});

function streamOf(texts: readonly string[]): ReadableStream<string> {
  return new ReadableStream({
    start: (controller) => {
      for (const text of texts) controller.enqueue(text);
      controller.close();
    },
  });
}

test('a token or a change of one that is refused rejects, as every method does, and throws nothing', async () => {
  const { tokens } = fakeCluster().cluster;
  const calls = [
    () => tokens.create({ name: key, rights: ['read'] }),
    () => tokens.rotate(key),
    () => tokens.revoke(key),
  ];
  for (const call of calls) {
    const failure = Promise.resolve(call()).catch((error: unknown) => error);
    expect(await failure).toMatchObject({ code: 'INVALID_ARGUMENT' });
  }
});
