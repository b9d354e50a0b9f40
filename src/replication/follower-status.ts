import type { FollowerStatus } from '../model/cluster.ts';
import type { FollowerView } from './feed-server.ts';

/** A follower as status tells of it. */
export function followerStatus({ node, role, state, behindCommits }: FollowerView): FollowerStatus {
  const { name, id } = node;
  const behind = behindCommits === undefined ? {} : { behindCommits };
  return { name, role: node.role, id, part: role, state, ...behind };
}
