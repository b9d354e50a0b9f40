import type { Epochs, Hearer } from '../model/epoch.ts';
import type { OriginId } from '../model/position.ts';
import type { Ledger } from './ledger.ts';
import { beyond, heldOf, lostLives } from './lost-lives.ts';
import type { Peering } from './peering.ts';
import { removeRecords } from './remove-records.ts';

export interface Hearing {
  readonly ledger: Ledger;
  /** Set at an origin. */
  readonly peering?: Peering;
  readonly hearer: Hearer;
  /** Commits that these openings are known. */
  readonly know: (told: Epochs) => Promise<void>;
}

/**
 * Rule R16: what is held from a life of a disk that was lost is adopted by an origin. A copy has to begin anew where an
 * origin is returned: something of its log is held. While it claims nothing it lets that go first: the scan that follows
 * shows what took its place.
 */
export async function hearOfLost(
  told: Epochs,
  { ledger, peering, hearer, know }: Hearing,
): Promise<OriginId | undefined> {
  const lives = lostLives(ledger.state, told, hearer);
  if (lives.length === 0) return undefined;
  if (peering !== undefined) {
    await peering.adopt(lives);
    await know(told);
    // Of these, what another feed brought meanwhile that had judged it before. From now on it judges anew.
    await peering.adopt(beyond(lives, ledger.state.covered));
    return undefined;
  }
  const lost = await heldOf(ledger.store, lives);
  if (hearer === 'claims-nothing') for (const life of lost) await removeRecords(ledger, life, { sync: true });
  return lost[0]?.origin;
}
