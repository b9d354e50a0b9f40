/**
 * How does the latency of a hot get grow with the load, at an edge that copies through the TypeScript client, beside a get at
 * a Redis replica? Values of 1 KiB; gets are due at set rates, and their latency counts from when they were due. Drawn up
 * to where a node no longer keeps up.
 */
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { startPair, until } from './support/meridian-nodes.ts';
import { median } from './support/percentiles.ts';
import { drawPlot, type Point } from './support/plot.ts';
import { redisClient, redisInstalled, startRedisPair } from './support/redis.ts';

const rates = [100, 300, 1000, 3000, 6000, 12_000, 24_000, 48_000];
/** Of the rate that was asked for: below it the node, or the client beside it, is at its end. */
const keepsUp = 0.9;
const keys = Array.from({ length: 1000 }, (_, i) => `key-${String(i).padStart(8, '0')}`);
const keyAt = (n: number) => keys[(n * 7919) % keys.length] ?? '';
const value = Buffer.alloc(1024, 0x78);

await runBench('Latency of a hot get by load, beside a Redis replica, 1 KiB', async (run) => {
  const { figures, runs, durationMs } = run;
  const { writer, reader } = await startPair(run);
  await writer.write(keys.map((key) => ({ kind: 'put', key, value }) as const));
  await until(async () => (await reader.getWithMetadata(keys[0] ?? '')).source === 'copy', 'the edge has its copy');
  const peers: Array<readonly [string, (n: number) => Promise<unknown>]> = [
    ['Meridian edge', (n) => reader.get(keyAt(n), 'arrayBuffer')],
  ];
  if (redisInstalled()) {
    const { primary, replica } = await startRedisPair(run);
    const filler = redisClient(run, primary);
    await Promise.all(keys.map((key) => filler.set(key, value)));
    await filler.wait(1, 10_000);
    const auto = redisClient(run, replica, true);
    peers.push(['Redis replica', (n) => auto.getBuffer(keyAt(n))]);
  }
  for (const [, call] of peers) await drive(call, { inFlight: 64, durationMs: 1000 });
  for (let round = 0; round < runs; round++) {
    for (const rate of rates) {
      for (const [name, call] of peers) {
        const driven = await drive(call, { inFlight: 256, durationMs, rate });
        const late = driven.perSecond < rate * keepsUp;
        if (late) continue;
        figures.add(`${name}, ${rate} gets/s, p50`, 'ms', driven.p50);
        figures.add(`${name}, ${rate} gets/s, p99`, 'ms', driven.p99);
      }
    }
  }
  figures.print();
  const points = peers.flatMap(([name]) =>
    (['p50', 'p99'] as const).flatMap((which) =>
      rates.flatMap((rate): Point[] => {
        const samples = figures.samples(`${name}, ${rate} gets/s, ${which}`);
        const line = `${name}, ${which}`;
        return samples.length === 0 ? [] : [{ x: rate, y: median(samples), line, isSolid: which === 'p50' }];
      }),
    ),
  );
  await drawPlot({
    name: 'latency-by-load',
    title: 'Hot get of 1 KiB: latency by load',
    x: { title: 'gets a second', isLog: true },
    y: { title: 'milliseconds', isLog: true },
    points,
  });
});
