import type { NodeStatus, PartStatus } from '../model/cluster.ts';
import type { VersionVector } from '../model/version-vector.ts';

/** A status as JSON: version vectors become objects from origin id to sequence; what is unknown is absent. */
export function statusJson(status: NodeStatus): unknown {
  return { ...status, parts: status.parts.map(partJson) };
}

function partJson(part: PartStatus): unknown {
  return {
    ...part,
    covered: vectorJson(part.covered),
    floor: vectorJson(part.floor),
    settled: vectorJson(part.settled),
  };
}

function vectorJson(vector: VersionVector): unknown {
  return Object.fromEntries([...vector].sort(([a], [b]) => (a < b ? -1 : 1)));
}
