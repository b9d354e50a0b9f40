import type { CallCounts, HotKey, Member, MemberLog, NodeStatus, PeerStatus, StorageStatus } from '../model/cluster.ts';
import type { MemberId } from '../model/position.ts';
import { stampWallMs } from '../model/stamp.ts';
import { clockNotes } from '../replication/clocks/clock-notes.ts';
import type { LedgerState } from '../replication/ledger-state.ts';
import type { Registry } from '../replication/registry.ts';
import { followerStatus } from '../replication/serving/follower-status.ts';
import { storageNotes, storageStatus } from '../replication/storage-notes.ts';
import type { Store } from '../store/store.ts';
import type { OriginParts } from './origin-parts.ts';
import type { PeerView } from './peer-link.ts';

interface Facts {
  readonly parts: OriginParts;
  readonly version: string;
  readonly uptimeMs: number;
  readonly state: LedgerState;
  readonly registry: Registry;
  readonly bytes: number;
  readonly stores: ReadonlyArray<Pick<Store, 'condition'>>;
  readonly hotKeys: readonly HotKey[];
  readonly calls: CallCounts | undefined;
  /** Further notes on its store. */
  readonly storeNotes: readonly string[];
}

export function originStatus(facts: Facts): NodeStatus {
  const { parts, version, uptimeMs, state, registry, bytes, stores, hotKeys, calls, storeNotes } = facts;
  const { identity, ownLog, sealing, feed, peers, durability, membership } = parts;
  const { covered, floor, stable } = state;
  const { serves, clusterId = '' } = membership;
  const own = covered.get(ownLog.id) ?? 0;
  const views = peers.views();
  const isOdd = isClockOdd(views);
  const storage = storageStatus(stores);
  const peer = (view: PeerView) => peerStatus(view, own, durability.of(view.node?.id as MemberId)?.get(ownLog.id));
  return {
    ...{ node: identity, clusterId, version, ...calls },
    ready: serves && !isOdd,
    notes: [...notesOf(parts, storage), ...storeNotes],
    uptimeMs,
    log: ownLog.id,
    unsealed: sealing.waiting(),
    scopes: [
      {
        kind: 'all',
        filter: ['*'],
        state: serves ? 'live' : 'starting',
        covered,
        floor,
        stable,
        ...(serves ? { boundMs: 0, rootLog: ownLog.id } : {}),
        bytes,
      },
    ],
    followers: feed.followers().map((view) => followerStatus(view, covered, registry.logs)),
    ...(views.length === 0 ? {} : { peers: views.map(peer) }),
    readOnly: !serves || storage.full,
    storage,
    clock: parts.settled.status(),
    hotKeys,
    tracks: parts.tracks.status(),
  };
}

function notesOf(parts: OriginParts, storage: StorageStatus): readonly string[] {
  const { reason } = parts.membership;
  const views = parts.peers.views();
  return [
    ...(reason === undefined ? [] : [reason]),
    ...(isClockOdd(views) ? ['its clock differs from those of most other origins: set it right'] : []),
    ...storageNotes(storage),
    ...clockNotes(parts.settled.status()),
    ...waitingNote(parts),
    ...keptApartNote(parts),
    ...views.flatMap(({ address, refused }) => (refused === undefined ? [] : [`peer ${address}: ${refused}`])),
  ];
}

/** A clock that differs from more than one other, and from more than half of them, is the one that is wrong. */
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

function keptApartNote({ keptApart }: OriginParts): readonly string[] {
  if (keptApart === undefined) return [];
  const { records, where } = keptApart;
  return [
    `${records} writes that this origin had alone may have been deleted long ago: kept in ${where}, and not written again`,
  ];
}

/** The origins of the registry, and the edges that follow this one. Clients that watch are no nodes. */
export function originMembers({ identity, peers, feed }: OriginParts, { members, logs }: Registry): readonly Member[] {
  const met = new Set(peers.views().flatMap(({ node, state }) => (state === 'live' ? [node?.id] : [])));
  const origins = members.registered().map(({ admitted: _admitted, ...origin }): Member => {
    const written = logs.of(origin.id).map(({ log, opened, seal }): MemberLog => {
      return { log, openedMs: stampWallMs(opened), ...(seal === undefined ? {} : { final: seal.final }) };
    });
    return { ...origin, role: 'origin', connected: origin.id === identity.id || met.has(origin.id), logs: written };
  });
  const edges = new Map<string, Member>();
  for (const { node, role } of feed.followers()) {
    if (node.role === 'edge' && role !== 'watch') edges.set(node.id, { ...node, connected: true });
  }
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
