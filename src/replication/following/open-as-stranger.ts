import type { NodeIdentity } from '../../model/cluster.ts';
import type { FollowOpen } from '../../model/feed.ts';
import { everything } from '../../model/filter.ts';
import { strangerOf } from '../../model/stranger.ts';
import type { Random } from '../../runtime/random.ts';

/** The handshake of a stranger that follows once, to get a copy of everything. */
export function openAsStranger(node: Pick<NodeIdentity, 'name' | 'region'>, random: Random): Omit<FollowOpen, 'start'> {
  return {
    ...strangerOf(node, random),
    role: 'copy',
    filter: everything,
    values: { kind: 'all' },
    takesLost: true,
  };
}
