import type { ClusterView, KnownRemoval } from '../../model/feed.ts';
import type { MemberId } from '../../model/position.ts';
import type { Registry } from '../../replication/registry.ts';

/*
 * Two sides of a cluster that cannot hear of each other may each remove members of the other side. When they meet, one
 * side goes on. Each member of the other side puts its store aside and joins, as a new member if it was removed:
 *
 *     {a, b} removed c, d       a knows: c, d are removed; a and b count       its best removal of whom c counts: c, d
 *     {c, d} removed a          c knows: a is removed; b, c and d count        its best removal of whom a counts: a
 *
 * Of the best removals of both sides the better one decides. All members that know of that removal then stay, whomever
 * they meet, so the cluster never ends by this. A removed member that removed nobody itself has nothing to set against
 * its removal.
 */

/** Removals to tell of, the latest ones: all members have heard of earlier ones. */
export const removalsToldMax = 1024;

/** What this member knows of the members of the cluster, for those that it calls. */
export function clusterView({ members, logs }: Registry, self: MemberId): ClusterView {
  const removals = [...logs.removals()].map(([member, { enough, reports, stamp }]): KnownRemoval => {
    return { member, enough, reports, stamp };
  });
  const latest = removals.sort((a, b) => (a.stamp > b.stamp ? -1 : 1)).slice(0, removalsToldMax);
  return { members: [...new Set([self, ...members.counted()])], removals: latest };
}

/** Which of two leaves, and as whom it comes back: as itself if the other side never removed it. */
export interface Leaver {
  readonly who: 'own' | 'other';
  readonly as: 'new' | 'same';
}

/** Undefined if neither of the two was removed. */
export function whoLeaves(
  own: { readonly id: MemberId; readonly view: ClusterView },
  other: { readonly id: MemberId; readonly view: ClusterView },
): Leaver | undefined {
  const removed = ({ removals }: ClusterView, id: MemberId) => removals.some(({ member }) => member === id);
  const [isOtherRemoved, isOwnRemoved] = [removed(own.view, other.id), removed(other.view, own.id)];
  if (!isOtherRemoved && !isOwnRemoved) return undefined;
  const ours = bestAgainst(own.view, other.view);
  const theirs = bestAgainst(other.view, own.view);
  const stays = theirs === undefined || (ours !== undefined && isBetter(ours, theirs));
  return stays
    ? { who: 'other', as: isOtherRemoved ? 'new' : 'same' }
    : { who: 'own', as: isOwnRemoved ? 'new' : 'same' };
}

/** The best removal in one view of a member that the other view counts. */
function bestAgainst({ removals }: ClusterView, { members }: ClusterView): KnownRemoval | undefined {
  let best: KnownRemoval | undefined;
  for (const removal of removals) {
    if (members.includes(removal.member) && (best === undefined || isBetter(removal, best))) best = removal;
  }
  return best;
}

/** One with enough reports beats a forced one; then more reports, then the earlier stamp: no two are alike. */
function isBetter(a: KnownRemoval, b: KnownRemoval): boolean {
  if (a.enough !== b.enough) return a.enough;
  if (a.reports !== b.reports) return a.reports > b.reports;
  return a.stamp < b.stamp;
}
