/**
 * How fast are gets whose keys are asked for as unevenly as users ask, one in five of them absent? Keys by Zipf's law over
 * --records keys, values of 100 bytes, 64 gets in flight: at an edge that copies, at one that caches and has memory for one key
 * in fifty or so, and at a Redis replica. And how many of its gets the cache had to load.
 */
import { SeededRandom } from '../support/seeded-random.ts';
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { fill, fillRedis, keyAt } from './support/filled.ts';
import { clientOf, metricSum, placeOf, startNode, startPair, until } from './support/meridian-nodes.ts';
import { redisClient, redisInstalled, startRedisPair } from './support/redis.ts';
import { zipf } from './support/zipf.ts';

const absentOf = 5;
/** An entry takes 0.85 KiB beside its key and value. */
const bytesOfEntry = 1024;
/** Spreads the keys that are asked for most over all of them. Prime, so that none is met twice. */
const stride = 15_485_863;

await runBench('Gets by Zipf’s law, one in five of an absent key, 100 B', async (run) => {
  const { figures, runs, records, durationMs } = run;
  const { origin, writer, reader } = await startPair(run);
  await fill(writer, records);
  const room = Math.max(1, Math.round((records / 50) * bytesOfEntry));
  const flags = ['--upstream', placeOf(origin), '--cache', '*', '--cache-memory', `${room}`];
  const caching = await startNode(run, 'edge', 'syd', flags);
  const cached = clientOf(run, caching).namespace('bench');
  const peers: Array<readonly [string, (key: string) => Promise<unknown>]> = [
    ['edge that copies', (key) => reader.get(key)],
    ['edge that caches', (key) => cached.get(key)],
  ];
  if (redisInstalled()) {
    const { primary, replica } = await startRedisPair(run);
    await fillRedis(redisClient(run, primary), records);
    const auto = redisClient(run, replica, true);
    await until(async () => (await auto.get(keyAt(records - 1))) !== null, 'the replica has all');
    peers.push(['Redis, auto-pipelining', (key) => auto.get(key)]);
  }
  const copied = async () => (await reader.getWithMetadata(keyAt(records - 1))).source === 'copy';
  await until(copied, 'the edge has its copy');
  for (let round = -1; round < runs; round++) {
    for (const [name, get] of peers) {
      const draw = zipf(records, new SeededRandom(round + 2));
      const keyOf = (n: number) => {
        const key = keyAt((draw() * stride) % records);
        return n % absentOf === 0 ? `${key}/absent` : key;
      };
      const loadsBefore = await metricSum(caching, 'meridian_loads_total');
      const driven = await drive((n) => get(keyOf(n)), { inFlight: 64, durationMs });
      const loads = (await metricSum(caching, 'meridian_loads_total')) - loadsBefore;
      if (round < 0) continue; // The first one warms up.
      figures.add(name, 'gets/s', driven.perSecond);
      figures.add(`${name}, p50`, 'ms', driven.p50);
      figures.add(`${name}, p99`, 'ms', driven.p99);
      if (name !== 'edge that caches') continue;
      figures.add(`${name}, loaded`, '% of gets', (loads * 100_000) / (driven.perSecond * durationMs));
    }
  }
  figures.print();
});
