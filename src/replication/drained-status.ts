import type { NodeStatus } from '../model/cluster.ts';

/** What a node that drains says of itself: it is not ready, and why, whatever else there is to say. */
export function drainedStatus(status: NodeStatus): NodeStatus {
  const note = 'it is drained: it takes no new traffic until it is started again';
  return { ...status, ready: false, notes: [note, ...status.notes] };
}
