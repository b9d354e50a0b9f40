import { cursorOf } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { Step } from '../model/feed.ts';
import { unknownOpening } from './check-cursor.ts';
import type { Ledger } from './ledger.ts';

/**
 * A follower takes no step of a server that has yet to hear of a removal that it knows (rule R23), nor one that tells of
 * another life of a disk than what it covers is from: joined, the openings would vouch for what was lost (rule R16). Its
 * next stream is told to resync. @throws UNAVAILABLE
 */
export function checkStep({ vector, epochs }: Step, { registry, state }: Pick<Ledger, 'registry' | 'state'>): void {
  registry.membership.checkHeard(vector);
  if (epochs === undefined) return;
  const covered = cursorOf(state.covered, state.epochs);
  // What the server covers says nothing here: its openings may be older than ours.
  const torn = unknownOpening(covered, { epochs, covered: new Map() }, registry.membership);
  if (torn === undefined) return;
  throw new MeridianError('UNAVAILABLE', `what is held of origin ${torn} is from a life of its disk that was lost`, {
    reason: 'begins-anew',
  });
}
