/**
 * How many durable puts a second does an origin take, beside Redis with appendfsync always and etcd? All have synced a write
 * before they acknowledge it. NATS KV, which syncs now and then, is there as it comes. Values of 1 KiB; one call in flight and
 * 64, through each one's own client.
 */
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { etcdInstalled, startEtcd } from './support/etcd.ts';
import { clientOf, metric, startNode } from './support/meridian-nodes.ts';
import { natsInstalled, startNatsPair } from './support/nats.ts';
import { redisClient, redisInstalled, startRedis } from './support/redis.ts';

const value = Buffer.alloc(1024, 0x78);
const keyAt = (n: number) => `key-${(n * 7919) % 10_000}`;

await runBench('Durable puts at an origin beside Redis with appendfsync always, 1 KiB', async (run) => {
  const { figures, runs, durationMs } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const client = clientOf(run, origin);
  await client.namespaces.create('bench');
  const namespace = client.namespace('bench');
  const peers: Array<readonly [string, (n: number) => Promise<unknown>]> = [
    ['origin', (n) => namespace.put(keyAt(n), value)],
  ];
  if (redisInstalled()) {
    const port = await startRedis(run, 'redis', ['--appendonly', 'yes', '--appendfsync', 'always']);
    const redis = redisClient(run, port);
    peers.push(['Redis', (n) => redis.set(keyAt(n), value)]);
  }
  if (etcdInstalled()) {
    const etcd = await startEtcd(run);
    peers.push(['etcd', (n) => etcd.put(keyAt(n)).value(value).exec()]);
  }
  if (natsInstalled()) {
    const { at } = await startNatsPair(run);
    peers.push(['NATS KV, not synced', (n) => at.put(keyAt(n), value)]);
  }
  for (const [, call] of peers) await drive(call, { inFlight: 64, durationMs: 1000 });
  for (let round = 0; round < runs; round++) {
    for (const [name, call] of peers) {
      for (const inFlight of [1, 64]) {
        const driven = await drive(call, { inFlight, durationMs });
        figures.add(`${name}, ${inFlight} in flight`, 'puts/s', driven.perSecond);
        figures.add(`${name}, ${inFlight} in flight, p99`, 'ms', driven.p99);
      }
    }
  }
  const [commits, records] = [
    await metric(origin, 'meridian_commit_records_count'),
    await metric(origin, 'meridian_commit_records_sum'),
  ];
  figures.add('records of one commit at the origin, on average', '', records / commits);
  figures.print();
  const ratios = figures.ratios('origin, 64 in flight', 'Redis, 64 in flight');
  figures.judge({ what: 'durable puts by Redis, 64 in flight', figures: ratios, least: 1 });
});
