import type { FollowerStatus, NodeIdentity } from '../../model/cluster.ts';
import type { FollowerReport, FollowOpen } from '../../model/feed.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { Logs } from '../logs.ts';

/** One follower as the server sees it. */
export interface FollowerView {
  readonly node: NodeIdentity;
  readonly role: FollowOpen['role'];
  readonly state: 'waiting' | 'scanning' | 'live';
  /** Commits that wait for it, where it is live. */
  readonly behindCommits?: number;
  /** What it last said to have on disk. */
  readonly durable: VersionVector;
  /** Milliseconds: how old what it holds may be, by this node's clock alone. Unset = unknown. */
  readonly boundMs?: number;
  /** As it told last. */
  readonly report: FollowerReport;
}

/** A follower as the status of a node tells of it that covers this. */
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
    // Who acknowledges nothing (a cache, a watch, a copy that has never caught up) is not behind by a number.
    ...(durable.size === 0 ? {} : { unacknowledged: gap(covered, durable, logs) }),
  };
}

function gap(covered: VersionVector, durable: VersionVector, logs: Logs): number {
  let sum = 0;
  for (const [log, sequence] of covered) sum += Math.max(0, sequence - logs.reach(durable, log));
  return sum;
}
