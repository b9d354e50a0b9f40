/**
 * How many requests a second does a Worker answer that reads one hot key of 1 KiB, in workerd over a Meridian edge that
 * copies, beside the same Worker over miniflare's own KV? A Worker that reads nothing says what runtime and load
 * generator take by themselves.
 */
import { Agent, request } from 'node:http';
import { startWorkerd } from '../http/workers/workerd.ts';
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { startPair, until } from './support/meridian-nodes.ts';
import { startMiniflare } from './support/miniflare.ts';

const key = 'hot';
const value = 'x'.repeat(1024);
const reading = `const worker = { async fetch(request, env) { return new Response(await env.KV.get('${key}')); } };
export { worker as default };`;
const idle = `const value = 'x'.repeat(1024);
const worker = { async fetch() { return new Response(value); } };
export { worker as default };`;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function visit(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.byteLength;
      });
      response.once('error', reject);
      response.once('end', () =>
        bytes === value.length ? resolve() : reject(new Error(`${url} answered ${bytes} bytes`)),
      );
    });
    sent.on('error', (cause) => reject(new Error(`${url} did not answer`, { cause }))).end();
  });
}

await runBench("A Worker's hot get over an edge (copy) beside the same over miniflare's own KV, 1 KiB", async (run) => {
  const { figures, runs, durationMs, onEnd } = run;
  const { writer, reader, edge } = await startPair(run);
  await writer.put(key, value);
  await until(async () => (await reader.getWithMetadata(key)).source === 'copy', 'the edge has its copy');
  const runtime = await startWorkerd({
    node: `${edge.http.host}:${edge.http.port}`,
    outbound: '127.0.0.1:9',
    workers: [
      { name: 'reading', source: reading, bindings: { KV: reader.name } },
      { name: 'idle', source: idle, bindings: {} },
    ],
  });
  onEnd(() => runtime.stop());
  const names = new Map([
    ['over an edge', runtime.urls.get('reading')],
    ['over miniflare', await startMiniflare(run, reading, key, value)],
    ['reading nothing', runtime.urls.get('idle')],
  ]);
  onEnd(() => agent.destroy());
  const peers = [...names].flatMap(([name, url]) => (url === undefined ? [] : [[name, url] as const]));
  for (const [, url] of peers) await drive(() => visit(url), { inFlight: 16, durationMs: 1000 });
  for (let round = 0; round < runs; round++) {
    for (const [name, url] of peers) {
      for (const inFlight of [1, 16]) {
        const driven = await drive(() => visit(url), { inFlight, durationMs });
        figures.add(`${name}, ${inFlight} in flight`, 'requests/s', driven.perSecond);
        figures.add(`${name}, ${inFlight} in flight, p50`, 'ms', driven.p50);
        figures.add(`${name}, ${inFlight} in flight, p99`, 'ms', driven.p99);
      }
    }
  }
  figures.print();
  figures.judge({
    what: 'rate, 16 in flight, by miniflare',
    figures: figures.ratios('over an edge, 16 in flight', 'over miniflare, 16 in flight'),
    least: 1,
  });
});
