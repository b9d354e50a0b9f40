import type { NodeIdentity, NodeStatus } from '../model/cluster.ts';
import type { FollowerView } from '../replication/feed-server.ts';
import type { LedgerState } from '../replication/ledger-state.ts';

interface Parts {
  readonly node: NodeIdentity;
  readonly clusterId: string;
  readonly version: string;
  readonly uptimeMs: number;
  readonly state: LedgerState;
  readonly bytes: number;
  readonly followers: readonly FollowerView[];
}

export function originStatus({ node, clusterId, version, uptimeMs, state, bytes, followers }: Parts): NodeStatus {
  const { covered, floor, settled } = state;
  return {
    node,
    clusterId,
    version,
    ready: true,
    notes: [],
    uptimeMs,
    parts: [{ part: 'all', includes: ['*'], state: 'live', covered, floor, settled, boundMs: 0, bytes }],
    followers: followers.map((follower) => ({
      name: follower.node.name,
      role: follower.node.role,
      id: follower.node.id,
      part: follower.role,
      state: follower.state,
      ...(follower.behindCommits === undefined ? {} : { behindCommits: follower.behindCommits }),
    })),
    readOnly: false,
  };
}
