import type { FollowerStatus } from '../model/cluster.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { FollowerView } from './feed-server.ts';

/** A follower as the status of a node tells of it that covers this. */
export function followerStatus(
  { node, role, state, behindCommits, durable }: FollowerView,
  covered: VersionVector,
): FollowerStatus {
  const { name, id } = node;
  return {
    name,
    role: node.role,
    id,
    part: role,
    state,
    ...(behindCommits === undefined ? {} : { behindCommits }),
    // Who acknowledges nothing (a cache, a watch, a copy that has never caught up) is not behind by a number.
    ...(durable.size === 0 ? {} : { unacknowledged: gap(covered, durable) }),
  };
}

function gap(covered: VersionVector, durable: VersionVector): number {
  let sum = 0;
  for (const [origin, sequence] of covered) sum += Math.max(0, sequence - (durable.get(origin) ?? 0));
  return sum;
}
