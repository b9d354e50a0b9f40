import type { ClusterView, KnownRemoval } from '../../model/feed.ts';
import type { MemberId } from '../../model/position.ts';
import type { Registry } from '../../replication/registry.ts';

/*
 * Two sides of a cluster that cannot hear of each other may each remove members of the other one. Where they meet, one
 * of them goes on, and whoever is of the other one puts its store aside and joins it, as a new member where it was removed:
 *
 *     {a, b} removed c, d       a knows: c, d are removed; a and b count       its best removal of whom c counts: c, d
 *     {c, d} removed a          c knows: a is removed; b, c and d count        its best removal of whom a counts: a
 *
 * Of the best removals of both the better one decides. All who know of that removal then stay, whomever they meet, so the
 * cluster never ends by this. A member that was removed and removed nobody itself has none to set against its removal.
 */

/** Removals that are told of, the latest of them: of earlier ones all have heard. */
export const removalsToldMax = 1024;

/** What this member knows of who belongs to the cluster, for those that it calls. */
export function clusterView({ members, logs }: Registry, self: MemberId): ClusterView {
  const removals = [...logs.removals()].map(([member, { enough, reports, stamp }]): KnownRemoval => {
    return { member, enough, reports, stamp };
  });
  const latest = removals.sort((a, b) => (a.stamp > b.stamp ? -1 : 1)).slice(0, removalsToldMax);
  return { members: [...new Set([self, ...members.counted()])], removals: latest };
}

/** Who of two goes, and as whom it comes back: its own self where the other side never removed it. */
export interface Leaver {
  readonly who: 'own' | 'other';
  readonly as: 'new' | 'same';
}

/** Undefined where neither of the two was removed. */
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

/** The best removal that one view holds of those whom the other one counts. */
function bestAgainst({ removals }: ClusterView, { members }: ClusterView): KnownRemoval | undefined {
  let best: KnownRemoval | undefined;
  for (const removal of removals) {
    if (members.includes(removal.member) && (best === undefined || isBetter(removal, best))) best = removal;
  }
  return best;
}

/** By enough reports before forced, by more reports, and by the earlier stamp: no two are alike. */
function isBetter(a: KnownRemoval, b: KnownRemoval): boolean {
  if (a.enough !== b.enough) return a.enough;
  if (a.reports !== b.reports) return a.reports > b.reports;
  return a.stamp < b.stamp;
}
