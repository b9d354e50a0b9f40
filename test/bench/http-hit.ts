/**
 * How much processor time does a hit cost over HTTP (the binding protocol, the REST API) beside a bare node:http server
 * that answers the same bytes? 1 KiB, 32 connections that are kept alive, one request at a time on each. What the edge takes
 * where nobody asks it anything (it probes its upstream, and tells its health) is taken off.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import type { BareAnswer } from './support/bare-http-server.ts';
import { type BenchRun, runBench } from './support/bench-run.ts';
import { cpuSeconds, startPair, until } from './support/meridian-nodes.ts';

const key = 'hot';
const value = Buffer.alloc(1024, 0x78);
const connections = 32;

/** One connection that asks again as soon as it has the whole answer. Resolves with the number of answers. */
async function ask(port: number, request: string, answerBytes: number, durationMs: number): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const endMs = performance.now() + durationMs;
  let answers = 0;
  let bytes = 0;
  socket.write(request);
  for await (const chunk of socket) {
    bytes += (chunk as Buffer).byteLength;
    if (bytes < answerBytes) continue;
    if (bytes > answerBytes) throw new Error(`an answer of ${bytes} bytes and not ${answerBytes}`);
    answers++;
    bytes = 0;
    if (performance.now() >= endMs) break;
    socket.write(request);
  }
  return answers;
}

/** The bytes of one whole answer. */
async function answerTo(port: number, request: string): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  let seen = Buffer.alloc(0);
  for await (const chunk of socket) {
    seen = Buffer.concat([seen, chunk as Buffer]);
    const end = seen.indexOf('\r\n\r\n');
    if (end >= 0 && seen.byteLength >= end + 4 + value.byteLength) break;
  }
  if (!seen.toString().startsWith('HTTP/1.1 200')) throw new Error(`answered ${seen.toString().slice(0, 300)}`);
  return seen;
}

/** Milliseconds in which nobody asks, to see what a server takes by itself. */
const idleMs = 3000;

interface Server {
  readonly name: string;
  readonly port: number;
  readonly request: string;
  /** Processor time that it has used. */
  cpuMs(): Promise<number>;
}

/** A bare server that answers as that one does, but for the headers that Node adds by itself. */
async function bareLike({ name, port, request }: Server, run: BenchRun): Promise<Server> {
  const [head = ''] = (await answerTo(port, request)).toString('latin1').split('\r\n\r\n');
  const own = /^(date|connection|keep-alive):/i;
  const headers = head
    .split('\r\n')
    .slice(1)
    .filter((line) => !own.test(line))
    .flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
  const child: ChildProcess = fork(fileURLToPath(new URL('./support/bare-http-server.js', import.meta.url)));
  run.onEnd(() => child.kill());
  child.send({ headers, body: value } satisfies BareAnswer);
  const [{ port: bare }] = (await once(child, 'message')) as [{ port: number }];
  const cpuMs = async () => {
    child.send('usage');
    const [said] = (await once(child, 'message')) as [{ cpuMs: number }];
    return said.cpuMs;
  };
  return { name: `bare, as ${name}`, port: bare, request, cpuMs };
}

await runBench('A hit over HTTP beside a bare node:http server with the same bytes, 1 KiB', async (run) => {
  const { figures, runs, durationMs } = run;
  const { writer, reader, edge } = await startPair(run);
  await writer.put(key, value);
  await until(async () => (await reader.getWithMetadata(key)).source === 'copy', 'the edge has its copy');
  const servers = await serversOf(edge, await idOf(edge), run);
  for (const server of servers) await load(server, 1000, 0);
  const before = await Promise.all(servers.map((server) => server.cpuMs()));
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const after = await Promise.all(servers.map((server) => server.cpuMs()));
  const idle = after.map((cpuMs, index) => (cpuMs - (before[index] ?? 0)) / idleMs);
  for (let round = 0; round < runs; round++) {
    for (const [index, server] of servers.entries()) {
      const { perSecond, cpuMicros } = await load(server, durationMs, idle[index] ?? 0);
      figures.add(server.name, 'requests/s', perSecond);
      figures.add(`${server.name}, processor`, 'µs a request', cpuMicros);
    }
  }
  figures.print();
  for (const name of ['binding', 'REST']) {
    const ratios = figures.ratios(`bare, as ${name}, processor`, `${name}, processor`);
    figures.judge({ what: `${name}: what a processor serves, by the bare server`, figures: ratios, least: 0.85 });
  }
});

/** `idle` is the share of a processor that it takes by itself. */
async function load(
  server: Server,
  durationMs: number,
  idle: number,
): Promise<{ perSecond: number; cpuMicros: number }> {
  const { byteLength } = await answerTo(server.port, server.request);
  const before = await server.cpuMs();
  const startMs = performance.now();
  const each = Array.from({ length: connections }, () => ask(server.port, server.request, byteLength, durationMs));
  const answers = (await Promise.all(each)).reduce((sum, count) => sum + count, 0);
  const elapsedMs = performance.now() - startMs;
  const usedMs = (await server.cpuMs()) - before - idle * elapsedMs;
  return { perSecond: (answers * 1000) / elapsedMs, cpuMicros: (usedMs * 1000) / answers };
}

async function idOf({ http }: ChildNode): Promise<string> {
  const response = await fetch(`http://${http.host}:${http.port}/client/v4/accounts/a/storage/kv/namespaces`);
  const { result } = (await response.json()) as { result: ReadonlyArray<{ id: string; title: string }> };
  const found = result.find(({ title }) => title === 'bench');
  if (found === undefined) throw new Error('the namespace is there');
  return found.id;
}

async function serversOf(edge: ChildNode, id: string, run: BenchRun): Promise<readonly Server[]> {
  const { port } = edge.http;
  const cpuMs = async () => (await cpuSeconds(edge)) * 1000;
  const get = (path: string, headers: string) => `GET ${path} HTTP/1.1\r\nHost: meridian\r\n${headers}\r\n`;
  const restPath = `/client/v4/accounts/a/storage/kv/namespaces/${id}/values/${key}`;
  const own: readonly Server[] = [
    { name: 'binding', port, cpuMs, request: get(`/${key}?urlencoded=true`, 'Meridian-Namespace: bench\r\n') },
    { name: 'REST', port, cpuMs, request: get(restPath, 'Authorization: Bearer any\r\n') },
  ];
  const pairs = await Promise.all(own.map(async (server) => [server, await bareLike(server, run)]));
  return pairs.flat();
}
