import { MeridianError } from '../model/errors.ts';
import { holds } from '../model/rules.ts';
import type { Ledger } from '../replication/ledger.ts';
import type { Clock } from '../runtime/clock.ts';

/*
 * A member that covers nothing is filled by one peer alone (rule R19). Two scans at once would be mixed, and one of the
 * two peers may have had its disk put back to before the other one purged a deletion:
 *
 *     b, empty         follows a, which purged the deletion of k, and c, which was put back to before that deletion
 *     c shows          k
 *     a has shown all  {…}: b covers the deletion of k, holds k, and nobody will ever tell it
 *
 * Once b covers what its first peer covers, every other peer goes on from there, or tells b that it is below its floor
 * (R8). If the peer that fills b stays away, what it has shown is put aside, and another peer begins. The same happens
 * if that peer opens its store again in the middle: it may have put its own store aside meanwhile, or have been put
 * back, and refuses to go on (`void-progress`, replication/serving/subscription.ts).
 */

export interface FirstFillOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** What is held is not whole, and the peer that sent it is away: this member begins anew. */
  readonly begunInVain: (why: string) => void;
  /** From now on the other peers may be followed as well. */
  readonly filled: () => void;
}

/** The reason of a refusal that says nothing against the peer. */
export const filledElsewhere = 'filled-elsewhere';

/** Milliseconds for which the peer that fills this member may be away. */
const patienceMs = 2000;

export class FirstFill {
  readonly #options: FirstFillOptions;
  #from: string | undefined;
  #isOpen = false;
  #hasTaken = false;
  /** True from the first scan to its end. */
  #isFilling = false;
  #awaySinceMs: number;

  constructor(options: FirstFillOptions) {
    this.#options = options;
    this.#awaySinceMs = options.clock.monotonicMs();
  }

  /**
   * A scan begins at this address. @param goesOn true if the scan had begun before the process was started again
   * @throws UNAVAILABLE if another peer fills this member
   */
  async begin(address: string, goesOn: boolean): Promise<void> {
    if (!holds('R19 one peer fills a member')) return;
    if (this.#from === undefined && (goesOn || (await this.#isEmpty()))) this.#from ??= address;
    this.check(address);
    this.#isOpen = true;
    this.#isFilling = true;
  }

  /** @throws UNAVAILABLE if nothing of this scan may be taken, or no more of it */
  check(address: string): void {
    if (!holds('R19 one peer fills a member')) return;
    const { ledger, clock, begunInVain } = this.#options;
    if (this.#from === address) return;
    if (ledger.state.covered.size > 0) throw fillsNot('another peer has filled it');
    const from = this.#from ?? 'a peer that is not known any more';
    if (!this.#isOpen && clock.monotonicMs() - this.#awaySinceMs > patienceMs) {
      begunInVain(`${from} filled this member in part, and is away`);
    }
    throw fillsNot(`${from} fills it`);
  }

  /** Something from this address is about to be stored. */
  taken(address: string): void {
    if (this.#from === address) this.#hasTaken = true;
  }

  /** The stream from this address is over. */
  left(address: string): void {
    if (this.#from !== address) return;
    this.#isOpen = false;
    this.#awaySinceMs = this.#options.clock.monotonicMs();
    if (!this.#hasTaken) this.#from = undefined;
  }

  /** A peer has shown all that it had. */
  done(): void {
    if (!this.#isFilling) return;
    this.#isFilling = false;
    this.#options.filled();
  }

  /** False if something was taken before the process was started again. */
  async #isEmpty(): Promise<boolean> {
    const snapshot = this.#options.ledger.store.snapshot();
    try {
      let isEmpty = true;
      for await (const page of snapshot.records({}, () => (isEmpty = false))) {
        if (page.length > 0 || !isEmpty) return false;
      }
      return isEmpty;
    } finally {
      await snapshot.close();
    }
  }
}

function fillsNot(why: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `this member is filled by one peer at a time: ${why}`, {
    reason: filledElsewhere,
    retryAfterMs: 100,
  });
}
