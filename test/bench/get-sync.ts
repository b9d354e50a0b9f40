/**
 * What does a hit cost inside the process? `getSync` of an edge opened by `openEdge`, of a copy and of a cache, 1,000 keys of
 * 1 KiB: processor time a get, with a session and without. Values are read as text, as they are by default; what making a
 * text of 1 KiB takes by itself is said beside it.
 */
import { openEdge } from '../../src/client/open-edge.ts';
import { runBench } from './support/bench-run.ts';
import { clientOf, placeOf, startNode, until } from './support/meridian-nodes.ts';

const keys = Array.from({ length: 1000 }, (_, n) => `key-${String(n).padStart(8, '0')}`);
const value = Buffer.alloc(1024, 0x78);
const getsAtOnce = 200_000;

await runBench('getSync at an edge inside the process, 1 KiB', async (run) => {
  const { figures, runs, onEnd } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const writer = clientOf(run, origin);
  await writer.namespaces.create('bench');
  await writer.namespace('bench').write(keys.map((key) => ({ kind: 'put', key, value }) as const));
  const edges = await Promise.all(
    (['copy', 'cache'] as const).flatMap((kind) => {
      return [true, false].map(async (sessions) => {
        const replicate = kind === 'copy' ? ['*'] : [];
        const edge = await openEdge({ upstream: placeOf(origin), replicate, sessions });
        onEnd(() => edge.close());
        await edge.ready();
        const bench = edge.namespace('bench');
        for (const key of keys) await until(async () => (await bench.getWithMetadata(key)).source === kind, kind);
        return { name: `${kind}, ${sessions ? 'with' : 'without'} a session`, bench };
      });
    }),
  );
  const decoder = new TextDecoder();
  for (let round = 0; round <= runs; round++) {
    const began = process.cpuUsage();
    let units = 0;
    for (let n = 0; n < getsAtOnce; n++) units += decoder.decode(value).length;
    const { user: decoding } = process.cpuUsage(began);
    if (units !== getsAtOnce * value.length) throw new Error('each byte is a character');
    if (round > 0) figures.add('making the text alone', 'µs', decoding / getsAtOnce);
    for (const { name, bench } of edges) {
      const before = process.cpuUsage();
      let misses = 0;
      for (let n = 0; n < getsAtOnce; n++) {
        if (bench.getSync(keys[(n * 7919) % keys.length] ?? '') === undefined) misses++;
      }
      const { user, system } = process.cpuUsage(before);
      if (misses > 0) throw new Error(`${misses} of ${getsAtOnce} were no hits`);
      if (round > 0) figures.add(name, 'µs a get', (user + system) / getsAtOnce); // The first makes it hot.
      await new Promise((resolve) => setTimeout(resolve, 300)); // For the probes.
    }
  }
  figures.print();
  for (const { name } of edges) figures.judge({ what: name, figures: figures.samples(name), most: 1, unit: 'µs' });
});
