/**
 * How does a hot get grow with its value, at an edge that copies beside a Redis replica? Values of 100 B, 1 KiB, 64 KiB and
 * 1 MiB, asked for as bytes; 64 gets in flight, 16 of the largest.
 */
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { startPair, until } from './support/meridian-nodes.ts';
import { fillPeer, type Peer, redisPeers } from './support/peers.ts';

const sizes = [
  { name: '100 B', bytes: 100, keys: 1000, inFlight: 64 },
  { name: '1 KiB', bytes: 1024, keys: 1000, inFlight: 64 },
  { name: '64 KiB', bytes: 65_536, keys: 100, inFlight: 64 },
  { name: '1 MiB', bytes: 1_048_576, keys: 20, inFlight: 16 },
] as const;
const mebibyte = 1_048_576;

await runBench('Hot gets by the size of the value, beside a Redis replica', async (run) => {
  const { figures, runs, durationMs } = run;
  const { writer, reader } = await startPair(run);
  const edge: Peer = {
    name: 'edge',
    put: (key, value) => writer.put(key, value),
    get: (key) => reader.get(key, 'arrayBuffer'),
  };
  const peers = [edge, ...(await redisPeers(run)).slice(1)];
  const keysOf = ({ name, keys }: (typeof sizes)[number]) => Array.from({ length: keys }, (_, i) => `${name}/${i}`);
  for (const peer of peers) {
    for (const size of sizes) await fillPeer(peer, keysOf(size), Buffer.alloc(size.bytes, 0x78));
  }
  const last = sizes.at(-1) ?? sizes[0];
  const copied = async () => (await reader.getWithMetadata(keysOf(last)[0] ?? '', 'arrayBuffer')).source === 'copy';
  await until(copied, 'the edge has its copy');
  for (let round = -1; round < runs; round++) {
    for (const size of sizes) {
      const keys = keysOf(size);
      for (const { name, get, getBytes = get } of peers) {
        const call = (n: number) => getBytes(keys[n % keys.length] ?? '');
        const driven = await drive(call, { inFlight: size.inFlight, durationMs });
        if (round < 0) continue; // The first one warms up.
        figures.add(`${name}, ${size.name}`, 'gets/s', driven.perSecond);
        figures.add(`${name}, ${size.name}, bytes`, 'MiB/s', (driven.perSecond * size.bytes) / mebibyte);
        figures.add(`${name}, ${size.name}, p99`, 'ms', driven.p99);
      }
    }
  }
  for (const size of sizes) {
    for (const ratio of figures.ratios(`edge, ${size.name}`, `Redis, auto-pipelining, ${size.name}`)) {
      figures.add(`edge by Redis, ${size.name}`, '×', ratio);
    }
  }
  figures.print();
});
