import { type Cursor, epochOf, wasTakenOver } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { Resync } from '../model/feed.ts';
import type { OriginId } from '../model/position.ts';
import type { LedgerState } from './ledger-state.ts';
import type { Membership } from './membership.ts';

/** Who judges a cursor, and whose it is. */
export interface Judging {
  readonly self: OriginId | undefined;
  readonly membership: Membership;
  readonly isPeer: boolean;
}

/**
 * Why a delta from this cursor would not be whole, or undefined where it is (rules R8, R16, R23). `self` is the origin whose
 * own log this store holds: a follower that has more of it than it was ever given met another life of this disk. A peer
 * that has not heard of a removal takes what it lacks, and with it the word.
 */
export function cursorRefused(
  cursor: Cursor,
  state: LedgerState,
  { self, membership, isPeer }: Judging,
): Resync['reason'] | undefined {
  for (const [origin, { sequence }] of cursor) {
    if (!isPeer && membership.isBeyondFinal({ origin, sequence })) return 'retired';
  }
  for (const [origin, purged] of state.floor) {
    if ((cursor.get(origin)?.sequence ?? 0) < purged) return 'below-floor';
  }
  for (const [origin, { sequence }] of cursor) {
    if (origin === self && sequence > (state.covered.get(origin) ?? 0)) return 'unknown-epoch';
  }
  return isOfAnotherLife(cursor, state, { membership, isPeer }) ? 'unknown-epoch' : undefined;
}

/** True where the cursor is from a life of some disk that this node knows another one of (rule R16). */
export function isOfAnotherLife(
  cursor: Cursor,
  state: LedgerState,
  { membership, isPeer }: Pick<Judging, 'membership' | 'isPeer'>,
): boolean {
  return unknownOpening(cursor, state, isPeer ? membership : undefined) !== undefined;
}

/**
 * An origin of which the cursor and this node know different lives (rule R16): its sequence is known here from another
 * opening. Between origins, a removed one is past that, by `settled`: its final sequence tells them apart, and who knew
 * another life than those that reported must hear of it to begin with.
 */
export function unknownOpening(
  cursor: Cursor,
  { epochs, covered }: Pick<LedgerState, 'epochs' | 'covered'>,
  settled?: Membership,
): OriginId | undefined {
  for (const [origin, { sequence, epoch }] of cursor) {
    if (settled?.retirement(origin) !== undefined || epoch === undefined) continue;
    const history = epochs.get(origin);
    if (wasTakenOver(history, epoch, sequence)) return origin;
    // Beyond what this node covers there may be openings that it has not heard of.
    const known = sequence > (covered.get(origin) ?? 0) ? undefined : epochOf(history, sequence);
    if (known !== undefined && epoch !== known) return origin;
  }
  return undefined;
}

/**
 * A watch that was shown more than is here waits, or goes elsewhere: of a key that it was shown it would be told an
 * earlier record, which what is still to come has long superseded. @throws UNAVAILABLE
 */
export function checkCoversWatch(cursor: Cursor, { covered }: Pick<LedgerState, 'covered'>): void {
  const missing = [...cursor].filter(([origin, { sequence }]) => sequence > (covered.get(origin) ?? 0));
  if (missing.length === 0) return;
  const origins = missing.map(([origin]) => origin).join(', ');
  throw new MeridianError('UNAVAILABLE', `the watch was shown writes of ${origins} that are not here yet`, {
    reason: 'session-not-covered',
    retryAfterMs: 200,
  });
}
