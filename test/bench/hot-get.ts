/**
 * How fast is a hot get at an edge that copies, through the TypeScript client, beside a get at a Redis replica through
 * ioredis, and at the other peers through theirs? Values of 1 KiB, 1,000 keys; one call in flight, 64, and at set rates. All
 * are asked as they are by default, most for text; and for bytes, where ours gives an ArrayBuffer of its own, as Workers KV
 * does, and ioredis a view of what it received.
 */
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { startPair, until } from './support/meridian-nodes.ts';
import { fillPeer, startPeers } from './support/peers.ts';

const keys = Array.from({ length: 1000 }, (_, i) => `key-${String(i).padStart(8, '0')}`);
const keyAt = (n: number) => keys[(n * 7919) % keys.length] ?? '';
const value = Buffer.alloc(1024, 0x78);

await runBench('Hot get at an edge (copy) beside a get at a Redis replica, 1 KiB', async (run) => {
  const { figures, runs, durationMs } = run;
  const { writer, reader } = await startPair(run);
  await writer.write(keys.map((key) => ({ kind: 'put', key, value }) as const));
  await until(async () => (await reader.getWithMetadata(keys[0] ?? '')).source === 'copy', 'the edge has its copy');
  const peers: Array<readonly [string, (n: number) => Promise<unknown>]> = [
    ['edge', (n) => reader.get(keyAt(n))],
    ['edge, bytes', (n) => reader.get(keyAt(n), 'arrayBuffer')],
  ];
  for (const peer of await startPeers(run)) {
    await fillPeer(peer, keys, value);
    const { name, getBytes } = peer;
    peers.push([name, (n) => peer.get(keyAt(n))]);
    if (getBytes !== undefined) peers.push([`${name}, bytes`, (n) => getBytes(keyAt(n))]);
  }
  for (const [, call] of peers) await drive(call, { inFlight: 64, durationMs: 1000 });
  for (let round = 0; round < runs; round++) {
    for (const [name, call] of peers) {
      for (const inFlight of [1, 64]) {
        const driven = await drive(call, { inFlight, durationMs });
        figures.add(`${name}, ${inFlight} in flight`, 'gets/s', driven.perSecond);
        figures.add(`${name}, ${inFlight} in flight, p50`, 'ms', driven.p50);
        figures.add(`${name}, ${inFlight} in flight, p99`, 'ms', driven.p99);
      }
    }
    const [[, call] = ['', async () => {}]] = peers;
    const paced = await drive(call, { inFlight: 64, durationMs, rate: 1000 });
    figures.add('edge, 1,000 gets/s, p50', 'ms', paced.p50);
    figures.add('edge, 1,000 gets/s, p99', 'ms', paced.p99);
    const most = figures.samples('edge, 64 in flight').at(-1) ?? 0;
    figures.add(
      'edge, half of its most, p99.9',
      'ms',
      (await drive(call, { inFlight: 64, durationMs, rate: most / 2 })).p999,
    );
  }
  figures.print();
  const auto = 'Redis, auto-pipelining, 64 in flight';
  figures.judge({
    what: 'rate, 64 in flight, by Redis auto-pipelining',
    figures: figures.ratios('edge, 64 in flight', auto),
    least: 1.3,
  });
  figures.judge({
    what: 'the same, bytes',
    figures: figures.ratios('edge, bytes, 64 in flight', 'Redis, auto-pipelining, bytes, 64 in flight'),
    least: 1.3,
  });
  figures.judge({
    what: 'p99, 64 in flight, by Redis auto-pipelining',
    figures: figures.ratios('edge, 64 in flight, p99', `${auto}, p99`),
    most: 1,
  });
  figures.judge({
    what: 'p50, one in flight, by Redis',
    figures: figures.ratios('edge, 1 in flight, p50', 'Redis, 1 in flight, p50'),
    most: 2,
  });
  figures.judge({
    what: 'rate, one in flight, by the NATS KV mirror',
    figures: figures.ratios('edge, 1 in flight', 'NATS KV mirror, 1 in flight'),
    least: 2,
  });
  figures.judge({
    what: 'p99 at 1,000 gets/s',
    figures: figures.samples('edge, 1,000 gets/s, p99'),
    most: 5,
    unit: 'ms',
  });
  figures.judge({
    what: 'p99.9 at half of the most',
    figures: figures.samples('edge, half of its most, p99.9'),
    most: 5,
    unit: 'ms',
  });
});
