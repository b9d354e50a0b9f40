import type { FollowerStatus, NodeIdentity } from '../../model/cluster.ts';
import type { FollowerReport, FollowOpen } from '../../model/feed.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { Logs } from '../logs.ts';

/** One follower as the server sees it. */
export interface FollowerView {
  readonly node: NodeIdentity;
  readonly role: FollowOpen['role'];
  readonly state: 'waiting' | 'scanning' | 'live';
  /** Commits that wait to be sent to it, if it is live. */
  readonly behindCommits?: number;
  /** What the follower last said to have on disk. */
  readonly durable: VersionVector;
  /** Milliseconds: how old the follower's data may be, by this node's clock alone. Unset = unknown. */
  readonly boundMs?: number;
  /** Its last report. */
  readonly report: FollowerReport;
}

/** A follower as a node with this covered vector shows it in its status. */
export function followerStatus(
  { node, role, state, behindCommits, durable, boundMs, report: { roundTripMs, hitRate } }: FollowerView,
  covered: VersionVector,
  logs: Logs,
): FollowerStatus {
  const { name, id, region, location } = node;
  return {
    name,
    role: node.role,
    id,
    scope: role,
    state,
    region,
    ...(location === undefined ? {} : { location }),
    ...(boundMs === undefined ? {} : { boundMs }),
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
    ...(hitRate === undefined ? {} : { hitRate }),
    ...(behindCommits === undefined ? {} : { behindCommits }),
    // A follower that acknowledges nothing (a cache, a watch, a copy that has never caught up) has no such number.
    ...(durable.size === 0 ? {} : { unacknowledged: gap(covered, durable, logs) }),
  };
}

function gap(covered: VersionVector, durable: VersionVector, logs: Logs): number {
  let sum = 0;
  for (const [log, sequence] of covered) sum += Math.max(0, sequence - logs.reach(durable, log));
  return sum;
}
