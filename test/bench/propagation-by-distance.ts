/**
 * How long after a put at the origin was started is the value read at an edge that copies, by the round trip between them?
 * Each edge stands behind a cable that delays every byte (the demo's), and is asked each millisecond. Half a round trip is the
 * least that there can be.
 */
import { DelayingProxy } from '../../src/cli/demo/delaying-proxy.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { runBench } from './support/bench-run.ts';
import { clientOf, startNode, until } from './support/meridian-nodes.ts';
import { percentile } from './support/percentiles.ts';
import { drawPlot, type Point } from './support/plot.ts';

const roundTripsMs = [0, 20, 40, 80, 160, 240, 320];

await runBench('Put started to visible at an edge (copy), by the round trip to its origin', async (run) => {
  const { figures, durationMs } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const atOrigin = clientOf(run, origin);
  await atOrigin.namespaces.create('bench');
  const writer = atOrigin.namespace('bench');
  const points: Point[] = [];
  for (const roundTripMs of roundTripsMs) {
    const cable = new DelayingProxy({ target: origin.grpc, oneWayMs: roundTripMs / 2, clock: systemClock });
    const upstream = await cable.start();
    run.onEnd(() => cable.stop());
    const edge = await startNode(run, 'edge', `at-${roundTripMs}`, ['--upstream', upstream, '--replicate', '*']);
    const reader = clientOf(run, edge).namespace('bench');
    await until(async () => (await reader.getWithMetadata('none')).source === 'copy', 'the edge has its copy');
    const elapsedMs = await measure(writer, reader, Math.max(durationMs, 1000));
    for (const [which, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      const ms = percentile(elapsedMs, share);
      figures.add(`round trip of ${roundTripMs} ms, ${which}`, 'ms', ms);
      points.push({
        x: roundTripMs,
        y: ms,
        line: `put started → read at the edge, ${which}`,
        isSolid: which === 'p50',
      });
    }
    points.push({ x: roundTripMs, y: roundTripMs / 2, line: 'half a round trip', isSolid: false });
    await edge.kill();
  }
  figures.print();
  await drawPlot({
    name: 'propagation-by-distance',
    title: 'A write reaches an edge: time by distance',
    x: { title: 'round trip to the origin, milliseconds' },
    y: { title: 'milliseconds' },
    points,
  });
});

interface Place {
  put(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<string | null>;
}

/** Milliseconds from before each put until its value was read, one put after another, for a while. */
async function measure(writer: Pick<Place, 'put'>, reader: Pick<Place, 'get'>, durationMs: number): Promise<number[]> {
  const elapsedMs: number[] = [];
  const endMs = performance.now() + durationMs;
  for (let n = 0; performance.now() < endMs || n < 10; n++) {
    const begunMs = performance.now();
    const value = `${begunMs} ${n}`;
    const putting = writer.put('seen', value);
    await until(async () => (await reader.get('seen')) === value, 'the value is there', 10_000, 1);
    elapsedMs.push(performance.now() - begunMs);
    await putting;
  }
  return elapsedMs;
}
