/**
 * How fast does a new edge take its copy of all records, what does that cost the origin's memory, and what does the
 * edge hold in memory afterwards, beside a Redis that holds the same? Records of 100 bytes; --records of them.
 */
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { type BenchRun, runBench } from './support/bench-run.ts';
import { fill, fillRedis } from './support/filled.ts';
import { clientOf, hasCaughtUp, placeOf, residentBytes, startNode, until } from './support/meridian-nodes.ts';
import { redisClient, redisInstalled, startRedis } from './support/redis.ts';

const mebibyte = 1024 * 1024;
/** Filling a store takes longer than measuring it: few runs do. */
const runsMax = 3;

await runBench('Bootstrap of a copy, records of 100 B, and the memory that it takes', async (run) => {
  const { figures, records } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const client = clientOf(run, origin);
  await client.namespaces.create('bench');
  await fill(client.namespace('bench'), records);
  for (let round = 0; round < Math.min(runsMax, run.runs); round++) await bootstrap(run, origin, round);
  if (redisInstalled()) {
    const redis = redisClient(run, await startRedis(run, 'redis'));
    await fillRedis(redis, records);
    const [, resident] = /used_memory_rss:(\d+)/.exec(await redis.info('memory')) ?? [];
    for (const _ of figures.samples('edge, resident afterwards')) {
      figures.add('Redis, resident', 'MiB', Number(resident) / mebibyte);
    }
  }
  figures.print();
  const ratios = figures.ratios('edge, resident afterwards', 'Redis, resident');
  figures.judge({ what: 'bootstrap', figures: figures.samples('records/s'), least: 150_000, unit: '/s' });
  figures.judge({ what: 'origin grows by', figures: figures.samples('origin grows by'), most: 64, unit: 'MiB' });
  figures.judge({ what: 'memory of the edge by Redis', figures: ratios, most: 2 });
});

/** A new edge in an empty folder, from its start to having caught up. */
async function bootstrap(run: BenchRun, origin: ChildNode, round: number): Promise<void> {
  const { figures, records } = run;
  const before = await residentBytes(origin);
  let most = before;
  const startedMs = performance.now();
  const edge = await startNode(run, 'edge', `fra-${round}`, ['--upstream', placeOf(origin), '--replicate', '*']);
  const status = clientOf(run, edge);
  let polls = 0;
  await until(async () => {
    if (polls++ % 10 === 0) most = Math.max(most, await residentBytes(origin));
    return hasCaughtUp(status);
  }, 'the edge has caught up');
  figures.add('records/s', 'records/s', (records * 1000) / (performance.now() - startedMs));
  figures.add('origin grows by', 'MiB', (most - before) / mebibyte);
  figures.add('edge, resident afterwards', 'MiB', (await residentBytes(edge)) / mebibyte);
  await edge.kill();
}
