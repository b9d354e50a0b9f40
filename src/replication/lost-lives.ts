import { type EpochHistory, type Epochs, type Hearer, partedAt, takenOverAt } from '../model/epoch.ts';
import type { OriginId, Position } from '../model/position.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Store } from '../store/store.ts';
import { holdsFrom } from './holds-beyond-final.ts';
import type { LedgerState } from './ledger-state.ts';

/** From this sequence on, what is held of the origin's log was written in a life of its disk that is no more. */
export interface LostLife {
  readonly origin: OriginId;
  readonly from: number;
}

/**
 * A follower may hold more than it covers: a scan that broke off, or what a load brought. Where it hears of an opening
 * that begins at or below that, it is from a life of the disk that was lost (rule R16): openings are told before what was
 * written in them, so it cannot be from the new one.
 *
 *     covered: 5     held: 6 7 8     told: another opening begins at 6   →   6 7 8 are of nobody any more
 *
 * Who claims nothing of what it holds goes by what it is told, also by one that knows less. An origin loses nothing by that:
 * it gives what it holds a place of its own.
 */
export function lostLives(
  { covered, epochs }: Pick<LedgerState, 'covered' | 'epochs'>,
  told: Epochs,
  hearer: Hearer = 'edge',
): LostLife[] {
  const lives = [...told].flatMap(([origin, history]) => {
    const from = lostFrom(epochs.get(origin), history, hearer);
    return from === undefined ? [] : [{ origin, from }];
  });
  return beyond(lives, covered);
}

/** What of these lives is not covered. */
export function beyond(lives: readonly LostLife[], covered: VersionVector): LostLife[] {
  return lives.map(({ origin, from }) => ({ origin, from: Math.max(from, (covered.get(origin) ?? 0) + 1) }));
}

function lostFrom(known: EpochHistory | undefined, history: EpochHistory, hearer: Hearer): number | undefined {
  if (hearer === 'edge') return takenOverAt(known, history);
  const { known: ours = Number.POSITIVE_INFINITY, told } = partedAt(known, history);
  return told === undefined || hearer === 'origin' ? told : Math.min(ours, told);
}

/** True for a place in this life. */
export function isOf({ origin, from }: LostLife, position: Position): boolean {
  return position.origin === origin && position.sequence >= from;
}

/** The vector up to where these lives began. */
export function withoutLives(vector: VersionVector, lost: readonly LostLife[]): VersionVector {
  const ends = lost.map(({ origin, from }): [OriginId, number] => [
    origin,
    Math.min(vector.get(origin) ?? 0, from - 1),
  ]);
  return lost.length === 0 ? vector : new Map([...vector, ...ends]);
}

/** Those of which something is held. */
export async function heldOf(store: Pick<Store, 'snapshot'>, lives: readonly LostLife[]): Promise<LostLife[]> {
  const held: LostLife[] = [];
  for (const life of lives) if (await holdsFrom(store, life)) held.push(life);
  return held;
}
