import type { NodeIdentity } from '../../model/cluster.ts';
import { type FollowOpen, feedProtocol } from '../../model/feed.ts';
import { everything } from '../../model/filter.ts';
import type { Random } from '../../runtime/random.ts';

/** Of whoever follows once, to have a copy of everything, and is no node of the cluster: each time under another id. */
export function openAsStranger(
  { name, region }: Pick<NodeIdentity, 'name' | 'region'>,
  random: Random,
): Omit<FollowOpen, 'start'> {
  return {
    protocol: feedProtocol,
    node: { name, role: 'edge', id: random.hex(8), region },
    nonce: random.hex(8),
    role: 'copy',
    filter: everything,
    values: { kind: 'all' },
    takesLost: true,
  };
}
