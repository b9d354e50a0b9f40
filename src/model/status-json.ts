import type { NodeStatus, ScopeStatus } from './cluster.ts';
import type { VersionVector } from './version-vector.ts';

/** A status as JSON: version vectors become objects from log id to sequence; what is unknown is absent. */
export function statusJson({ node, clusterId, uptimeMs, scopes, ...rest }: NodeStatus): object {
  return {
    ...node,
    cluster: clusterId,
    uptimeSeconds: uptimeMs / 1000,
    ...rest,
    scopes: scopes.map(scopeJson),
  };
}

function scopeJson({ covered, stable, floor, ...rest }: ScopeStatus): object {
  return { ...rest, covered: vectorJson(covered), stable: vectorJson(stable), floor: vectorJson(floor) };
}

function vectorJson(vector: VersionVector): object {
  return Object.fromEntries([...vector].sort(([a], [b]) => (a < b ? -1 : 1)));
}
