import { expect, it } from 'vitest';
import { fakeCluster } from './fake-cluster.ts';

const MiB = 1024 * 1024;

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
