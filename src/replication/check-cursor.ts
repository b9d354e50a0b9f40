import { type Cursor, epochOf } from '../model/epoch.ts';
import type { Resync } from '../model/feed.ts';
import type { OriginId } from '../model/position.ts';
import type { LedgerState } from './ledger-state.ts';

/**
 * Why a delta from this cursor would not be whole, or undefined where it is (rules R8, R16). `self` is the origin whose
 * own log this store holds: a follower that has more of it than it was ever given met another life of this disk.
 */
export function cursorRefused(
  cursor: Cursor,
  state: LedgerState,
  self: OriginId | undefined,
): Resync['reason'] | undefined {
  for (const [origin, purged] of state.floor) {
    if ((cursor.get(origin)?.sequence ?? 0) < purged) return 'below-floor';
  }
  for (const [origin, { sequence, epoch }] of cursor) {
    if (origin === self && sequence > (state.covered.get(origin) ?? 0)) return 'unknown-epoch';
    const known = epochOf(state.epochs.get(origin), sequence);
    if (epoch !== undefined && known !== undefined && epoch !== known) return 'unknown-epoch';
  }
  return undefined;
}
