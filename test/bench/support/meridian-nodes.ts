import { join, resolve } from 'node:path';
import { ChildNode } from '../../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../../src/client/cluster-handle.ts';
import { connect } from '../../../src/client/connect.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';
import type { BenchRun } from './bench-run.ts';

/** A node in a process of its own, as a user runs it, at ports of its own unless the flags say where it listens. */
export async function startNode(
  run: BenchRun,
  role: 'origin' | 'edge',
  name: string,
  flags: readonly string[] = [],
): Promise<ChildNode> {
  const anywhere = flags.includes('--listen') ? [] : ['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const node = await ChildNode.start({
    script: resolve('dist/cli/main.js'),
    role,
    name,
    flags: ['--data', join(run.folder, name), ...anywhere, ...flags],
    logPath: join(run.folder, `${name}.log`),
    clock: systemClock,
  });
  run.onEnd(() => node.kill());
  return node;
}

export function placeOf(node: ChildNode): string {
  return `${node.grpc.host}:${node.grpc.port}`;
}

export function clientOf(run: BenchRun, node: ChildNode): ClusterHandle {
  const client = connect({ endpoints: [placeOf(node)] });
  run.onEnd(() => client.close());
  return client;
}

/** An origin, and an edge that copies everything, with the namespace `bench` made. */
export async function startPair(run: BenchRun) {
  const origin = await startNode(run, 'origin', 'iad');
  const atOrigin = clientOf(run, origin);
  await atOrigin.namespaces.create('bench');
  const edge = await startNode(run, 'edge', 'fra', ['--upstream', placeOf(origin), '--replicate', '*']);
  const atEdge = clientOf(run, edge);
  return { origin, edge, writer: atOrigin.namespace('bench'), reader: atEdge.namespace('bench') };
}

/** Waits until a look is true. @throws after the time is up */
export async function until(
  look: () => Promise<boolean>,
  what: string,
  withinMs = 300_000,
  pauseMs = 10,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await look().catch(() => false))) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await new Promise((done) => setTimeout(done, pauseMs));
  }
}

/** One sample of a node's metrics, NaN where it has none. */
export async function metric({ http }: ChildNode, sample: string): Promise<number> {
  const text = await (await fetch(`http://${http.host}:${http.port}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return line === undefined ? Number.NaN : Number(line.slice(sample.length + 1));
}
