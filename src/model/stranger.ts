import type { NodeIdentity } from './cluster.ts';
import type { FollowOpen } from './feed.ts';
import { feedVersions } from './feed-version.ts';

/** How a follower that is no node of the cluster introduces itself: each time under another id. */
export function strangerOf(
  { name, region }: Pick<NodeIdentity, 'name' | 'region'>,
  random: { hex(bytes: number): string },
): Pick<FollowOpen, 'protocol' | 'protocolOldest' | 'node' | 'nonce'> {
  return { ...feedVersions, node: { name, role: 'edge', id: random.hex(8), region }, nonce: random.hex(8) };
}
