/**
 * How long after a put was started can the value be read at an edge that copies, at a Redis replica, and at a mirror of a
 * NATS KV bucket? Neither peer has synced what it shows. Each is asked again and again until it shows the value, while 200
 * other writes a second go on: at once, as fast as answers come, which takes most of a core with gRPC; and once a
 * millisecond.
 */
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { startPair } from './support/meridian-nodes.ts';
import { natsPeers, type Peer, redisPeers } from './support/peers.ts';
import { percentile } from './support/percentiles.ts';

const writesPerSecond = 200;
const other = Buffer.alloc(1024, 0x78);

await runBench('Put started to visible at an edge (copy) beside a Redis replica, 200 writes/s', async (run) => {
  const { figures, runs, durationMs } = run;
  const { writer, reader } = await startPair(run);
  const peers: Peer[] = [
    // A session of the reader's own: it says nothing of the put, so the edge answers from what it holds.
    { name: 'edge', put: (key, value) => writer.put(key, value), get: (key) => reader.get(key) },
    ...(await redisPeers(run)).slice(0, 1),
    ...(await natsPeers(run)),
  ];
  for (const peer of peers) await measure(peer, 1500);
  for (let round = 0; round < runs; round++) {
    for (const peer of peers) {
      const ways = [
        [peer.name, 0],
        [`${peer.name}, asked each ms`, 1],
      ] as const;
      for (const [name, pauseMs] of ways) {
        const elapsedMs = await measure(peer, Math.max(durationMs, 1000), pauseMs);
        figures.add(`${name}, p50`, 'ms', percentile(elapsedMs, 0.5));
        figures.add(`${name}, p99`, 'ms', percentile(elapsedMs, 0.99));
      }
    }
  }
  figures.print();
  const calm = figures.samples('edge, asked each ms, p50');
  figures.judge({ what: 'put started to visible, asked each ms, p50', figures: calm, most: 5, unit: 'ms' });
  figures.judge({ what: 'p50 by the Redis replica’s', figures: figures.ratios('edge, p50', 'Redis, p50'), most: 1 });
  figures.judge({ what: 'p99 by the Redis replica’s', figures: figures.ratios('edge, p99', 'Redis, p99'), most: 2 });
});

/** Milliseconds from before each put until its value was read, one put after another, for a while. */
async function measure({ put, get }: Peer, durationMs: number, pauseMs = 0): Promise<number[]> {
  const others = drive((n) => put(`other-${n % 1000}`, other), {
    inFlight: 8,
    durationMs,
    rate: writesPerSecond,
  });
  const elapsedMs: number[] = [];
  const endMs = performance.now() + durationMs;
  for (let n = 0; performance.now() < endMs; n++) {
    const begunMs = performance.now();
    const value = `${begunMs} ${n}`;
    const putting = put('seen', Buffer.from(value));
    while ((await get('seen')) !== value) {
      if (performance.now() > begunMs + 10_000) throw new Error('never visible');
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    elapsedMs.push(performance.now() - begunMs);
    await putting;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await others;
  return elapsedMs;
}
