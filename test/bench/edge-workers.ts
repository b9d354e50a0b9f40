/**
 * What do workers give? Hot gets over the Redis port of an edge of one process, and of 1, 2 and 4 workers beside a keeper,
 * by redis-benchmark with 64 connections: requests a second, and processor time a request of all processes of the edge.
 */
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { runBench } from './support/bench-run.ts';
import { clientOf, cpuSeconds, placeOf, startNode, until } from './support/meridian-nodes.ts';
import { benchmarkGets, benchmarkKeys, hasRedisBenchmark } from './support/redis-benchmark.ts';

const keys = benchmarkKeys(1000);
const value = Buffer.alloc(1024, 0x78);

function benchmark({ redis }: ChildNode, pipelined: number, requests: number): Promise<number> {
  if (redis === undefined) throw new Error('the edge has a Redis port');
  return benchmarkGets(redis, { keys: keys.length, pipelined, requests });
}

await runBench('Hot gets over the Redis port by the number of workers, 1 KiB, 64 connections', async (run) => {
  if (!hasRedisBenchmark()) return;
  const { figures, runs, durationMs } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const writer = clientOf(run, origin);
  await writer.namespaces.create('bench');
  await writer.namespace('bench').write(keys.map((key) => ({ kind: 'put', key, value }) as const));
  const edges: Array<readonly [string, ChildNode]> = [];
  for (const workers of [0, 1, 2, 4]) {
    const redis = ['--redis', '127.0.0.1:0', '--redis-database', '0=bench'];
    const flags = ['--upstream', placeOf(origin), '--replicate', '*', '--workers', String(workers), ...redis];
    const edge = await startNode(run, 'edge', `edge-${workers}`, flags);
    const ready = `http://${edge.http.host}:${edge.http.port}/readyz`;
    await until(async () => (await fetch(ready)).ok, 'the edge is ready');
    edges.push([workers === 0 ? 'one process' : `${workers} workers`, edge]);
  }
  // Each worker has its own cache to fill.
  for (const [, edge] of edges) await benchmark(edge, 16, 100_000);
  for (let round = 0; round < runs; round++) {
    for (const [name, edge] of edges) {
      for (const [pipelined, perMs] of [
        [1, 30],
        [16, 150],
      ] as const) {
        const requests = durationMs * perMs;
        const before = await cpuSeconds(edge);
        const rate = await benchmark(edge, pipelined, requests);
        const usedMs = ((await cpuSeconds(edge)) - before) * 1000;
        figures.add(`${name}, -P ${pipelined}`, 'gets/s', rate);
        figures.add(`${name}, -P ${pipelined}, processor`, 'µs a get', (usedMs * 1000) / requests);
      }
    }
  }
  figures.print();
});
