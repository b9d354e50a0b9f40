import type { Member, NodeStatus, PeerStatus } from '../model/cluster.ts';
import type { OriginId } from '../model/position.ts';
import { followerStatus } from '../replication/follower-status.ts';
import type { LedgerState } from '../replication/ledger-state.ts';
import type { Membership } from '../replication/membership.ts';
import type { OriginParts } from './origin-parts.ts';
import type { PeerView } from './peer-link.ts';

interface Facts {
  readonly parts: OriginParts;
  readonly version: string;
  readonly uptimeMs: number;
  readonly state: LedgerState;
  readonly bytes: number;
}

export function originStatus({ parts, version, uptimeMs, state, bytes }: Facts): NodeStatus {
  const { standing, identity, mark, feed, peers, durability } = parts;
  const { covered, floor, settled } = state;
  const { reason } = standing;
  const id = identity.id as OriginId;
  const own = covered.get(id) ?? 0;
  const views = peers.views();
  const isOdd = isClockOdd(views);
  const peer = (view: PeerView) => peerStatus(view, own, durability.of(view.node?.id as OriginId)?.get(id));
  return {
    node: identity,
    clusterId: standing.clusterId ?? '',
    version,
    ready: standing.serves && !isOdd,
    notes: [
      ...(reason === undefined ? [] : [reason]),
      ...(mark.active ? ['takes over what it missed while it was away; serves no feed meanwhile'] : []),
      ...(isOdd ? ['its clock differs from those of most other origins: set it right'] : []),
      ...waitingNote(parts),
      ...views.flatMap(({ address, refused }) => (refused === undefined ? [] : [`peer ${address}: ${refused}`])),
    ],
    uptimeMs,
    parts: [
      {
        part: 'all',
        includes: ['*'],
        state: standing.serves ? 'live' : 'starting',
        covered,
        floor,
        settled,
        ...(standing.serves ? { boundMs: 0, root: id } : {}),
        bytes,
      },
    ],
    followers: feed.followers().map((view) => followerStatus(view, covered)),
    ...(views.length === 0 ? {} : { peers: views.map(peer) }),
    readOnly: !standing.serves,
  };
}

/** The one clock that differs from more than one other, and from more than half of them, is the one that is wrong. */
function isClockOdd(views: readonly PeerView[]): boolean {
  const differing = views.filter(({ clocksDiffer }) => clocksDiffer).length;
  return differing > 1 && differing > views.length / 2;
}

function waitingNote({ tombstonesWaiting }: OriginParts): readonly string[] {
  if (tombstonesWaiting === 0) return [];
  return [
    `${tombstonesWaiting} deletions are past their retention and wait for an origin that is away; if it is gone for good, remove it`,
  ];
}

/** The origins of the registry, and the edges that follow this one. */
export function originMembers({ identity, peers, feed }: OriginParts, membership: Membership): readonly Member[] {
  const met = new Set(peers.views().flatMap(({ node, state }) => (state === 'live' ? [node?.id] : [])));
  const origins = membership.registered().map(({ admitted: _admitted, epochs: _epochs, ...origin }): Member => {
    return { ...origin, role: 'origin', connected: origin.id === identity.id || met.has(origin.id) };
  });
  const edges = new Map<string, Member>();
  for (const { node } of feed.followers()) if (node.role === 'edge') edges.set(node.id, { ...node, connected: true });
  const known = origins.some(({ id }) => id === identity.id) ? origins : [{ ...identity, connected: true }, ...origins];
  return [...known, ...edges.values()];
}

function peerStatus(view: PeerView, own: number, acknowledged: number | undefined): PeerStatus {
  const { address, node, state, boundMs, refused } = view;
  return {
    name: node?.name ?? '',
    id: node?.id ?? '',
    address,
    state,
    ...(boundMs === undefined ? {} : { boundMs }),
    ...(acknowledged === undefined ? {} : { unacknowledged: Math.max(0, own - acknowledged) }),
    ...(refused === undefined ? {} : { refused }),
  };
}
