import { ClusterHandle } from '../../src/client/cluster-handle.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { FakeNode } from './fake-node.ts';

/** Milliseconds that calls have, more than any back-off takes. */
const timeoutMs = 60_000;

/** A clock whose timers run at once, so that back-off costs a test nothing; deadlines never pass. */
export const hastyClock: Clock = {
  wallMs: () => 1_000_000,
  monotonicMs: () => 5_000,
  timer: (delayMs, run) => {
    if (delayMs < timeoutMs) queueMicrotask(run);
    return { cancel: () => {} };
  },
};

export function fakeCluster(
  nodes: readonly FakeNode[] = [new FakeNode()],
  sessions = true,
): { readonly cluster: ClusterHandle; readonly node: FakeNode; readonly nodes: readonly FakeNode[] } {
  const random = { fraction: () => 0, hex: () => '' };
  const cluster = new ClusterHandle({ nodes, clock: hastyClock, random, timeoutMs, sessions });
  return { cluster, node: nodes[0] ?? new FakeNode(), nodes };
}
