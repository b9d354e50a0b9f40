import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { fakeCluster } from './fake-cluster.ts';

const MiB = 1024 * 1024;

async function filled(keys: number) {
  const { cluster, node } = fakeCluster();
  const namespace = cluster.namespace('flags');
  for (let n = 0; n < keys; n++) await namespace.put(`k${1000 + n}`, 'v');
  const asked: string[] = [];
  const getMany = node.getMany.bind(node);
  node.getMany = (request, call) => {
    asked.push(request.keys[0] ?? '');
    return getMany(request, call);
  };
  return { namespace, node, asked };
}

it('an iteration reads one group of keys ahead of the one that is worked on, from the second on', async () => {
  const { namespace, asked } = await filled(450);
  const askedAt: Record<string, readonly string[]> = {};
  for await (const { name } of namespace.entries()) {
    if (name.endsWith('00')) askedAt[name] = [...asked];
    // What was begun is under way only once this one waits for something.
    await new Promise((resolve) => setImmediate(resolve));
    if (name.endsWith('50')) askedAt[name] = [...asked];
  }
  expect(askedAt['k1050']).toEqual(['k1000']);
  expect(askedAt['k1150']).toEqual(['k1000', 'k1100', 'k1200']);
  expect(askedAt['k1250']).toEqual(['k1000', 'k1100', 'k1200', 'k1300']);
  expect(asked).toHaveLength(5);
});

it('an iteration that is left does not wait for what it was reading ahead', async () => {
  const { namespace, node } = await filled(450);
  const getMany = node.getMany.bind(node);
  let given: AbortSignal | undefined;
  node.getMany = (request, call) => {
    if (request.keys[0] !== 'k1200') return getMany(request, call);
    given = call.signal;
    return new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(call.signal.reason)));
  };
  for await (const { name } of namespace.entries()) if (name === 'k1150') break;
  expect(given?.aborted).toBe(true);
});

it('an iteration leaves nothing behind in the signal that it was given, whole or left early', async () => {
  const { namespace } = await filled(250);
  const { signal } = new AbortController();
  for await (const { name } of namespace.entries({ signal })) if (name === 'k1150') break;
  let count = 0;
  for await (const _entry of namespace.entries({ signal })) count++;
  expect(count).toBe(250);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

it('an iteration tells of a damaged key when it passes it by, not when it reads ahead', async () => {
  const { namespace, node } = await filled(450);
  node.damaged.add('k1205');
  const damaged: string[] = [];
  for await (const { name } of namespace.entries({ onDamaged: (key) => damaged.push(key) })) {
    await new Promise((resolve) => setImmediate(resolve));
    if (name < 'k1200') expect(damaged).toEqual([]);
  }
  expect(damaged).toEqual(['k1205']);
});

it('an iteration reads up to 100 keys at once, of large values only so many as have 4 MiB, and a larger one alone', async () => {
  const { cluster, node } = fakeCluster();
  const namespace = cluster.namespace('flags');
  const sizes = [1, 1, 3, 9, 9, 0.1, 0.1];
  for (const [index, size] of sizes.entries()) await namespace.put(`a${index}`, new Uint8Array(size * MiB));
  for (let n = 0; n < 150; n++) await namespace.put(`b${1000 + n}`, 'v');
  const asked: number[] = [];
  const getMany = node.getMany.bind(node);
  node.getMany = (request, call) => {
    asked.push(request.keys.length);
    return getMany(request, call);
  };
  const names: string[] = [];
  const ages = new Set<number | null>();
  for await (const { name } of namespace.entries({ onAnswer: ({ staleness }) => ages.add(staleness) }))
    names.push(name);
  expect(asked).toEqual([2, 1, 1, 1, 100, 52]);
  expect(names).toHaveLength(157);
  expect([...ages]).toEqual([0.12]);
});
