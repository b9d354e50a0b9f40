import { type Filter, matches } from '../model/filter.ts';
import { inPlaceOf, isSameOrFuller, movesTo, replaces } from '../model/merge.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Record } from '../model/record.ts';
import { stampParts } from '../model/stamp.ts';
import { coversPosition } from '../model/version-vector.ts';
import type { ReplicationObserver } from './observer.ts';
import type { Peering } from './peering.ts';
import type { CommitView } from './proposal.ts';
import type { Registry } from './registry.ts';
import { isRewritten, type Sweep } from './sweep.ts';

/** Who is shown a record. */
export interface Accepting {
  readonly registry: Registry;
  readonly observer: ReplicationObserver;
  readonly filter: Filter;
  /** Set at an origin. */
  readonly peering: Peering | undefined;
  readonly sweep: Sweep | undefined;
  /** Whether what it covers means anything. */
  readonly claims: boolean;
}

/** The rules by which a record gets in: R18 (dead namespaces), R20 (already covered), then the merge rule. */
export function accepted(
  record: Record,
  view: CommitView,
  { registry, observer, filter, peering, sweep, claims }: Accepting,
): Record[] {
  if (!matches(filter, record.namespace, record.key)) return [];
  if (record.namespace !== registryNamespace && registry.isDead(record.namespace)) return [];
  const held = view.head(record);
  if (peering === undefined && isRewritten(record, held, sweep)) return [record];
  if (held === undefined) {
    // An end in the registry counts again: data of a namespace may have come since, of who had lost that it ended (R18).
    const isEnd = record.kind === 'tombstone' && record.namespace === registryNamespace;
    const superseded = !isEnd && claims && coversPosition(view.state.covered, record.position);
    return superseded ? [] : [record];
  }
  // Where its place is beyond a final sequence, whoever adopted it may have been removed as well (rule R23).
  const isLeft = isSameOrFuller(record, held) && registry.membership.isBeyondFinal(held.position);
  if (isLeft || movesTo(record, held)) return [record];
  if (!replaces(record, held)) {
    const conflict = record.stamp < held.stamp && stampParts(record.stamp).origin !== stampParts(held.stamp).origin;
    if (conflict) observer.conflictLost(held.stamp, record.stamp);
    return [];
  }
  if (record.stamp !== held.stamp) peering?.overwritten(held, record);
  return [inPlaceOf(held, record)];
}
