/**
 * How near is a unary Get at an edge to what grpc-js itself can do? The peer is a bare grpc-js server in a process of
 * its own that answers the same method with the same message, made once; both are driven by the same bare client.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Client, credentials } from '@grpc/grpc-js';
import { services } from '../../src/rpc/proto.ts';
import { type BenchRun, runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { placeOf, startPair, until } from './support/meridian-nodes.ts';

const { Get: method } = services.kv.service;
if (method === undefined) throw new Error('proto/ defines no Get');
const get = method;
const request = { namespace: 'bench', key: 'key', options: null, session: null };

await runBench('Unary Get at an edge (copy) beside a bare grpc-js echo of the same message, 1 KiB', async (run) => {
  const { figures, runs, durationMs } = run;
  const { edge, writer, reader } = await startPair(run);
  await writer.put('key', Buffer.alloc(1024, 0x78));
  await until(async () => (await reader.getWithMetadata('key')).source === 'copy', 'the edge has its copy');
  const atEdge = bareGet(run, placeOf(edge));
  const atEcho = bareGet(run, await startEcho(run, await atEdge()));
  for (const call of [atEdge, atEcho]) await drive(call, { inFlight: 16, durationMs: 1500 });
  for (let round = 0; round < runs; round++) {
    for (const inFlight of [1, 16, 64]) {
      for (const [name, call] of [['edge', atEdge] as const, ['bare echo', atEcho] as const]) {
        const driven = await drive(call, { inFlight, durationMs });
        figures.add(`${name}, ${inFlight} in flight`, 'gets/s', driven.perSecond);
        figures.add(`${name}, ${inFlight} in flight, p50`, 'ms', driven.p50);
      }
    }
    for (const [name, call] of [['edge', atEdge] as const, ['bare echo', atEcho] as const]) {
      const paced = await drive(call, { inFlight: 64, durationMs, rate: 1000 });
      figures.add(`${name}, 1,000 gets/s, p50`, 'ms', paced.p50);
      figures.add(`${name}, 1,000 gets/s, p99`, 'ms', paced.p99);
    }
  }
  figures.print();
  for (const inFlight of [1, 16, 64]) {
    const ratios = figures.ratios(`edge, ${inFlight} in flight`, `bare echo, ${inFlight} in flight`);
    figures.judge({ what: `rate by the bare echo's, ${inFlight} in flight`, figures: ratios, least: 0.9 });
  }
});

function bareGet(run: BenchRun, address: string): () => Promise<object> {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  run.onEnd(() => client.close());
  return () =>
    new Promise<object>((resolve, reject) => {
      client.makeUnaryRequest<object, object>(
        get.path,
        (message) => get.requestSerialize(message),
        (bytes) => get.responseDeserialize(bytes) as object,
        request,
        (error, answer) => (answer === undefined ? reject(error ?? new Error('no answer')) : resolve(answer)),
      );
    });
}

/** The answer of the edge, said by a server that does nothing else. Returns where it listens. */
async function startEcho(run: BenchRun, answer: object): Promise<string> {
  const child = fork(new URL('./support/echo-server.js', import.meta.url), { serialization: 'advanced' });
  run.onEnd(() => child.kill('SIGKILL'));
  child.send(answer);
  const [port] = (await once(child, 'message')) as [number];
  return `127.0.0.1:${port}`;
}
