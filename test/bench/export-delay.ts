/**
 * Does a large export hold up what else an origin does? Delay of its event loop, by the node's own metric, and latency of
 * 2,000 gets a second, while all records are exported by `meridian export`, beside the same without an
 * export. Records of 100 bytes; --records of them. The event loop is looked at each 10 ms, which its figures contain.
 */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { fill, keyAt } from './support/filled.ts';
import { clientOf, metric, placeOf, startNode } from './support/meridian-nodes.ts';

const getsPerSecond = 2000;
const exportMsMax = 600_000;

await runBench('Delay of an origin while all of it is exported, records of 100 B', async (run) => {
  const { figures, records, runs } = run;
  const origin = await startNode(run, 'origin', 'iad');
  const client = clientOf(run, origin);
  await client.namespaces.create('bench');
  const namespace = client.namespace('bench');
  await fill(namespace, records);
  const get = (n: number) => namespace.get(keyAt((n * 7919) % records));
  const delayMs = async () => 1000 * (await metric(origin, 'nodejs_eventloop_lag_p99_seconds'));
  for (let round = 0; round < runs; round++) {
    for (const exports of [false, true]) {
      const name = exports ? 'while it exports' : 'without an export';
      // Each look at the metrics begins their time anew.
      await delayMs();
      const ending = new AbortController();
      const startedMs = performance.now();
      const exported = exports ? exportAll(placeOf(origin)) : waitMs(run.durationMs);
      void exported.finally(() => ending.abort());
      const driven = await drive(get, {
        inFlight: 64,
        rate: getsPerSecond,
        durationMs: exportMsMax,
        signal: ending.signal,
      });
      await exported;
      if (exports) figures.add('exported', 'records/s', (records * 1000) / (performance.now() - startedMs));
      figures.add(`event loop, p99, ${name}`, 'ms', await delayMs());
      figures.add(`get, p99, ${name}`, 'ms', driven.p99);
    }
  }
  figures.print();
  const delays = figures.samples('event loop, p99, while it exports');
  figures.judge({ what: 'event loop, p99, while it exports', figures: delays, most: 20, unit: 'ms' });
});

function waitMs(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

async function exportAll(endpoint: string): Promise<void> {
  const words = [resolve('dist/cli/main.js'), 'export', 'bench', '--endpoint', endpoint];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((done) => child.once('exit', done));
  if (code !== 0) throw new Error(`meridian export ended with ${code}`);
}
