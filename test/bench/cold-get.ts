/**
 * What does a get cost whose key an edge has never seen, so that it asks its origin? Values of 100 bytes, each key once, absent
 * ones too, 64 and 256 in flight: gets a second, and processor time a get of the edge and of the origin.
 */
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { fill, keyAt } from './support/filled.ts';
import { clientOf, cpuSeconds, placeOf, startNode } from './support/meridian-nodes.ts';

await runBench('Cold gets at an edge that caches, 100 B', async (run) => {
  const { figures, runs, records, durationMs } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const atOrigin = clientOf(run, origin);
  await atOrigin.namespaces.create('bench');
  await fill(atOrigin.namespace('bench'), records);
  for (let round = -1; round < runs; round++) {
    const edge = await startNode(run, 'edge', `fra-${round + 1}`, ['--upstream', placeOf(origin), '--cache', '*']);
    const reader = clientOf(run, edge).namespace('bench');
    let next = 0;
    for (const kind of ['there', 'absent']) {
      for (const inFlight of [64, 256]) {
        const before = [await cpuSeconds(edge), await cpuSeconds(origin)] as const;
        const first = next;
        const get = () => {
          const key = keyAt(next++ % records);
          return reader.get(kind === 'there' ? key : `${key}/absent`);
        };
        const driven = await drive(get, { inFlight, durationMs });
        const gets = next - first;
        if (round < 0) continue; // The first one warms up.
        const name = `${kind}, ${inFlight} in flight`;
        figures.add(name, 'gets/s', driven.perSecond);
        figures.add(`${name}, p50`, 'ms', driven.p50);
        figures.add(`${name}, p99`, 'ms', driven.p99);
        figures.add(`${name}, edge`, 'µs a get', (((await cpuSeconds(edge)) - before[0]) * 1e6) / gets);
        figures.add(`${name}, origin`, 'µs a get', (((await cpuSeconds(origin)) - before[1]) * 1e6) / gets);
      }
    }
    await edge.kill();
  }
  figures.print();
});
