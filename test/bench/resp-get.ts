/**
 * How fast is the Redis port of an edge that copies, beside a Redis replica, by the same clients? Hot gets of 1 KiB:
 * redis-benchmark with 64 connections, one command and 16 in a pipeline; ioredis with auto-pipelining, 64 in flight.
 */
import type { Address } from '../../src/config/option.ts';
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { clientOf, placeOf, startNode, until } from './support/meridian-nodes.ts';
import { redisClient, redisInstalled, startRedisPair } from './support/redis.ts';
import { benchmarkGets, benchmarkKeys, hasRedisBenchmark } from './support/redis-benchmark.ts';

const keys = benchmarkKeys(1000);
const value = Buffer.alloc(1024, 0x78);
/** Commands of a pipeline; and requests for each millisecond of a run, so that a run takes about as long as was asked for. */
const pipelines = [
  { pipelined: 1, perMs: 40, least: 0.8 },
  { pipelined: 16, perMs: 200, least: 0.5 },
] as const;

await runBench('Hot gets over the Redis port of an edge (copy) beside a Redis replica, 1 KiB', async (run) => {
  if (!hasRedisBenchmark() || !redisInstalled()) return;
  const { figures, runs, durationMs } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const writer = clientOf(run, origin);
  await writer.namespaces.create('bench');
  await writer.namespace('bench').write(keys.map((key) => ({ kind: 'put', key, value }) as const));
  const flags = ['--upstream', placeOf(origin), '--replicate', '*', '--redis', '127.0.0.1:0'];
  const edge = await startNode(run, 'edge', 'fra', [...flags, '--redis-database', '0=bench']);
  const reader = clientOf(run, edge).namespace('bench');
  await until(async () => (await reader.getWithMetadata(keys[0] ?? '')).source === 'copy', 'the edge has its copy');
  const { primary, replica } = await startRedisPair(run);
  const filler = redisClient(run, primary);
  await Promise.all(keys.map((key) => filler.set(key, value)));
  await filler.wait(1, 10_000);
  if (edge.redis === undefined) throw new Error('the edge has a Redis port');
  const peers: Array<readonly [string, Address]> = [
    ['edge', edge.redis],
    ['Redis', { host: '127.0.0.1', port: replica }],
  ];
  const clients = peers.map(([, { port }]) => redisClient(run, port, true));
  for (let round = -1; round < runs; round++) {
    for (const [index, [name, address]] of peers.entries()) {
      const get = (n: number) => clients[index]?.get(keys[(n * 7919) % keys.length] ?? '') ?? Promise.resolve();
      const driven = await drive(get, { inFlight: 64, durationMs });
      const rates: number[] = [];
      for (const { pipelined, perMs } of pipelines) {
        rates.push(await benchmarkGets(address, { keys: keys.length, pipelined, requests: durationMs * perMs }));
      }
      if (round < 0) continue; // The first one warms up.
      pipelines.forEach(({ pipelined }, at) => {
        figures.add(`${name}, redis-benchmark -P ${pipelined}`, 'gets/s', rates[at] ?? Number.NaN);
      });
      figures.add(`${name}, ioredis, 64 in flight`, 'gets/s', driven.perSecond);
      figures.add(`${name}, ioredis, 64 in flight, p99`, 'ms', driven.p99);
    }
  }
  figures.print();
  for (const { pipelined, least } of pipelines) {
    const what = `redis-benchmark -P ${pipelined}`;
    figures.judge({ what: `${what}, by Redis`, figures: figures.ratios(`edge, ${what}`, `Redis, ${what}`), least });
  }
  const what = 'ioredis, 64 in flight';
  figures.judge({ what: `${what}, by Redis`, figures: figures.ratios(`edge, ${what}`, `Redis, ${what}`), least: 0.9 });
});
