import type { NodeStatus } from '../model/cluster.ts';

/** The status of a node that drains: not ready, with the reason before all other notes. */
export function drainedStatus(status: NodeStatus): NodeStatus {
  const note = 'it is drained: it takes no new traffic until it is started again';
  return { ...status, ready: false, notes: [note, ...status.notes] };
}
