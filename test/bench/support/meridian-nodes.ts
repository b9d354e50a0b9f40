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

/** Whether an edge has all of its copies and knows how old they may be. */
export async function hasCaughtUp(edge: ClusterHandle): Promise<boolean> {
  const { scopes } = await edge.status();
  return scopes.length > 0 && scopes.every(({ boundMs }) => boundMs !== undefined);
}

/** Processor seconds that all processes of a node have used. */
export function cpuSeconds(node: ChildNode): Promise<number> {
  return metricSum(node, 'process_cpu_seconds_total');
}

export function residentBytes(node: ChildNode): Promise<number> {
  return metric(node, 'process_resident_memory_bytes');
}

/** One sample of a node's metrics, NaN where it has none. */
export async function metric(node: ChildNode, sample: string): Promise<number> {
  const [found = Number.NaN] = await metricsAtOnce(node, [sample]);
  return found;
}

/** Several of one look: each look at the delay of the event loop begins its time anew. */
export async function metricsAtOnce(node: ChildNode, samples: readonly string[]): Promise<readonly number[]> {
  const lines = await metricLines(node);
  return samples.map((sample) => {
    const line = lines.find((candidate) => candidate.startsWith(`${sample} `));
    return line === undefined ? Number.NaN : Number(line.slice(sample.length + 1));
  });
}

/** All samples of one metric together, whatever their labels. */
export async function metricSum(node: ChildNode, name: string): Promise<number> {
  const lines = (await metricLines(node)).filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function metricLines({ http }: ChildNode): Promise<readonly string[]> {
  return (await (await fetch(`http://${http.host}:${http.port}/metrics`)).text()).split('\n');
}
