/**
 * What does an edge say of the age of its answers while it is cut off, and what is their age? The origin writes the time into
 * one key, twenty times a second. The cable between the two is cut for ten seconds. The bound that an answer carries must
 * never be less than the age: how long ago the first write was made that the answer does not show.
 */
import { DelayingProxy } from '../../src/cli/demo/delaying-proxy.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { runBench } from './support/bench-run.ts';
import { clientOf, startNode, until } from './support/meridian-nodes.ts';
import { drawPlot, type Point } from './support/plot.ts';

const [beforeMs, cutMs, afterMs] = [5_000, 10_000, 7_000];
const [writeEveryMs, readEveryMs] = [50, 100];
const roundTripMs = 40;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

await runBench('What an edge says of its age while it is cut off, and how old its answers are', async (run) => {
  const { figures } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const atOrigin = clientOf(run, origin);
  await atOrigin.namespaces.create('bench');
  const writer = atOrigin.namespace('bench');
  const cable = new DelayingProxy({ target: origin.grpc, oneWayMs: roundTripMs / 2, clock: systemClock });
  const upstream = await cable.start();
  const edge = await startNode(run, 'edge', 'fra', [
    '--upstream',
    upstream,
    '--replicate',
    '*',
    '--max-staleness',
    '1h',
  ]);
  const reader = clientOf(run, edge).namespace('bench');
  await until(async () => (await reader.getWithMetadata('none')).source === 'copy', 'the edge has its copy');

  /** When each write was acknowledged, by its number. */
  const writtenMs: number[] = [];
  const startMs = performance.now();
  const since = () => performance.now() - startMs;
  let isOver = false;
  const writing = (async () => {
    for (let n = 0; !isOver; n++) {
      await writer.put('n', String(n));
      writtenMs[n] = since();
      await pause(writeEveryMs);
    }
  })();
  const cutting = (async () => {
    await pause(beforeMs);
    await cable.stop();
    await pause(cutMs);
    await cable.start(Number(upstream.replace(/^.*:/, '')));
    run.onEnd(() => cable.stop());
  })();

  const points: Point[] = [];
  let least = Number.POSITIVE_INFINITY;
  while (since() < beforeMs + cutMs + afterMs) {
    // As it was when it was asked: the bound holds when it is answered, which is later.
    const atMs = since();
    const answer = await reader.getWithMetadata('n');
    const next = writtenMs[Number(answer.value ?? -1) + 1];
    const ageMs = next === undefined || next > atMs ? 0 : atMs - next;
    const boundMs = answer.staleness === null ? Number.NaN : answer.staleness * 1000;
    points.push({ x: atMs / 1000, y: boundMs / 1000, line: 'the bound that its answers carry' });
    points.push({ x: atMs / 1000, y: ageMs / 1000, line: 'the age of its answers', isSolid: false });
    if (Number.isFinite(boundMs)) least = Math.min(least, boundMs - ageMs);
    await pause(readEveryMs);
  }
  isOver = true;
  await Promise.all([writing, cutting]);
  figures.add('least of the bound less the age', 'ms', least);
  figures.print();
  figures.judge({ what: 'the bound is never less than the age', figures: [least], least: 0, unit: 'ms' });
  await drawPlot({
    name: 'outage',
    title: 'An edge is cut off: what it says of its age, and its age',
    x: { title: 'seconds' },
    y: { title: 'seconds' },
    spans: [{ from: beforeMs / 1000, to: (beforeMs + cutMs) / 1000, what: 'cut off' }],
    points,
  });
});
