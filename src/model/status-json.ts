import type { NodeIdentity, NodeStatus, ScopeStatus } from './cluster.ts';
import type { VersionVector } from './version-vector.ts';

/** From log id to sequence. */
export type VectorJson = Readonly<Record<string, number>>;

export interface ScopeJson extends Omit<ScopeStatus, 'covered' | 'stable' | 'floor'> {
  readonly covered: VectorJson;
  readonly stable: VectorJson;
  readonly floor: VectorJson;
}

export interface StatusJson extends NodeIdentity, Omit<NodeStatus, 'node' | 'clusterId' | 'uptimeMs' | 'scopes'> {
  readonly cluster: string;
  readonly uptimeSeconds: number;
  readonly scopes: readonly ScopeJson[];
}

/** A status as JSON: version vectors become objects from log id to sequence; what is unknown is absent. */
export function statusJson({ node, clusterId, uptimeMs, scopes, ...rest }: NodeStatus): StatusJson {
  return {
    ...node,
    cluster: clusterId,
    uptimeSeconds: uptimeMs / 1000,
    ...rest,
    scopes: scopes.map(scopeJson),
  };
}

function scopeJson({ covered, stable, floor, ...rest }: ScopeStatus): ScopeJson {
  return { ...rest, covered: vectorJson(covered), stable: vectorJson(stable), floor: vectorJson(floor) };
}

function vectorJson(vector: VersionVector): VectorJson {
  return Object.fromEntries([...vector].sort(([a], [b]) => (a < b ? -1 : 1)));
}
