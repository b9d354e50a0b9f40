/**
 * Does an origin stay within its memory and answer in time while far more is asked of it than it can do? --records puts of 100
 * bytes by one client, 200,000 of them under way at once (each takes 5 kB of the client): the node's resident memory at the most, the delay of its event loop in each five
 * seconds, and the latency of 20 gets a second of another client meanwhile. The loop is looked at each 10 ms, which its
 * figures contain.
 */
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { keyAt, value } from './support/filled.ts';
import { clientOf, metricsAtOnce, residentBytes, startNode } from './support/meridian-nodes.ts';

const timeoutMs = 600_000;
const lookMs = 5000;
const inFlightMax = 200_000;
const looked = ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'];
const mebibyte = 1024 * 1024;

await runBench('An origin with far more puts in flight than it can do, 100 B', async (run) => {
  const { figures, records } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const writer = clientOf(run, origin);
  await writer.namespaces.create('bench');
  const namespace = writer.namespace('bench');
  await namespace.put('seen', value);
  const other = clientOf(run, origin).namespace('bench');
  figures.add('resident before', 'MiB', (await residentBytes(origin)) / mebibyte);
  const ended = new AbortController();
  const beganMs = performance.now();
  let issued = 0;
  const putAgain = async () => {
    while (issued < records) await namespace.put(keyAt(issued++ % 100_000), value, { timeoutMs });
  };
  const puts = Promise.all(Array.from({ length: Math.min(records, inFlightMax) }, putAgain)).finally(() =>
    ended.abort(),
  );
  const gets = drive(() => other.get('seen'), {
    inFlight: 64,
    rate: 20,
    durationMs: timeoutMs,
    signal: ended.signal,
  });
  while (!ended.signal.aborted) {
    await new Promise((done) => setTimeout(done, lookMs));
    const [resident = 0, delay = 0] = await metricsAtOnce(origin, looked);
    figures.add('resident', 'MiB', resident / mebibyte);
    figures.add('event loop, p99 of five seconds', 'ms', 1000 * delay);
  }
  await puts;
  figures.add('puts', 'puts/s', (records * 1000) / (performance.now() - beganMs));
  const { p50, p99 } = await gets;
  figures.add('a get of another client, p50', 'ms', p50);
  figures.add('a get of another client, p99', 'ms', p99);
  figures.print();
  const delays = figures.samples('event loop, p99 of five seconds');
  figures.judge({ what: 'event loop, p99', figures: delays, most: 50, unit: 'ms' });
});
