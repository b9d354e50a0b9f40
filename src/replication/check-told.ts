import { cursorOf, type Epochs } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { CaughtUp, Changes } from '../model/feed.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { unknownOpening } from './check-cursor.ts';
import type { Ledger } from './ledger.ts';

/** What an event tells of its server besides records. */
export interface Told {
  /** Unset where it closes no consistent step. */
  readonly vector: VersionVector | undefined;
  /** Empty where they are as they were. */
  readonly epochs: Epochs;
}

export function toldBy(event: Changes | CaughtUp): Told {
  if (event.kind === 'caught-up') return { vector: event.vector, epochs: event.epochs ?? new Map() };
  return { vector: event.step?.vector, epochs: event.epochs ?? event.step?.epochs ?? new Map() };
}

/**
 * A follower takes nothing of a server that has yet to hear of a removal that it knows (rule R23), nor of one that tells of
 * another life of a disk than what it covers is from: joined, the openings would vouch for what was lost (rule R16). Its
 * next stream is told to resync. @throws UNAVAILABLE
 */
export function checkTold(
  { vector, epochs }: Told,
  { registry, state }: Pick<Ledger, 'registry' | 'state'>,
  isOrigin: boolean,
): void {
  if (vector !== undefined) registry.membership.checkHeard(vector);
  if (epochs.size === 0) return;
  const covered = cursorOf(state.covered, state.epochs);
  // What the server covers says nothing here: its openings may be older than ours.
  const torn = unknownOpening(covered, { epochs, covered: new Map() }, isOrigin ? registry.membership : undefined);
  if (torn === undefined) return;
  throw new MeridianError('UNAVAILABLE', `what is held of origin ${torn} is from a life of its disk that was lost`, {
    reason: 'begins-anew',
  });
}
