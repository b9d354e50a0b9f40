import { cursorOf, type Epochs, partedAt } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { CaughtUp, Changes } from '../model/feed.ts';
import type { OriginId } from '../model/position.ts';
import { emptyVector, type VersionVector } from '../model/version-vector.ts';
import { unknownOpening } from './check-cursor.ts';
import type { Ledger } from './ledger.ts';
import type { LedgerState } from './ledger-state.ts';
import type { Membership } from './membership.ts';

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
 * An origin of which what is covered here is from a life that was lost, as these openings tell: another one took over at or
 * below it, also where that is told by who has never heard of the opening that it was written in.
 */
export function lostBy(
  { covered, epochs }: Pick<LedgerState, 'covered' | 'epochs'>,
  told: Epochs,
  settled?: Membership,
): OriginId | undefined {
  // What the server covers says nothing here: its openings may be older than ours.
  const torn = unknownOpening(cursorOf(covered, epochs), { epochs: told, covered: emptyVector }, settled);
  if (torn !== undefined) return torn;
  for (const [origin, history] of told) {
    const parted = partedAt(epochs.get(origin) ?? [], history);
    if (parted.known === undefined || parted.told === undefined || settled?.retirement(origin) !== undefined) continue;
    if (parted.told <= parted.known && (covered.get(origin) ?? 0) >= parted.known) return origin;
  }
  return undefined;
}

/**
 * What the server of one stream told of openings, judged against what is known here. A follower takes nothing of a server
 * that has yet to hear of a removal that it knows (rule R23), nor of one that tells of another life of a disk than what it
 * covers is from, nor, where the server is the one that has yet to hear of an opening, what that one took the place of:
 * joined, the openings would vouch for what was lost (rule R16).
 */
export class Telling {
  readonly #ledger: Pick<Ledger, 'registry' | 'state'>;
  readonly #isOrigin: boolean;
  readonly #beginAnew: () => void;
  #epochs: Epochs = new Map();
  #lost: { readonly known: Epochs; readonly from: VersionVector } | undefined;

  /** `beginAnew` is called where the next stream is to begin with nothing, whatever its server says to the cursor. */
  constructor(ledger: Pick<Ledger, 'registry' | 'state'>, isOrigin: boolean, beginAnew: () => void) {
    this.#ledger = ledger;
    this.#isOrigin = isOrigin;
    this.#beginAnew = beginAnew;
  }

  /** A stream begins. */
  opened(): void {
    this.#epochs = new Map();
    this.#lost = undefined;
  }

  /** To be asked before the event is applied. @throws UNAVAILABLE */
  check(event: Changes | CaughtUp): Told {
    const { registry, state } = this.#ledger;
    const told = toldBy(event);
    if (told.vector !== undefined) registry.membership.checkHeard(told.vector);
    if (told.epochs.size > 0) {
      const torn = lostBy(state, told.epochs, this.#settled);
      if (torn !== undefined) {
        this.#beginAnew();
        throw lostLife(torn, 'what is held', 'begins-anew');
      }
      this.#epochs = new Map([...this.#epochs, ...told.epochs]);
      this.#lost = undefined;
    }
    const lost = this.#lostFrom();
    for (const [origin, from] of lost) {
      const covers = (told.vector?.get(origin) ?? 0) >= from;
      const records = event.kind === 'changes' ? event.records : [];
      const shows = records.some(({ position }) => position.origin === origin && position.sequence >= from);
      // The next stream is with a server that knows better, or with this one once it does.
      if (covers || shows) throw lostLife(origin, 'what the upstream holds', 'lost-life');
    }
    return told;
  }

  get #settled() {
    return this.#isOrigin ? this.#ledger.registry.membership : undefined;
  }

  /** For each origin of whose life the server knows one that was lost: the first sequence of what took its place. */
  #lostFrom(): VersionVector {
    const known = this.#ledger.state.epochs;
    if (this.#lost?.known !== known) this.#lost = { known, from: this.#compared(known) };
    return this.#lost.from;
  }

  #compared(known: Epochs): VersionVector {
    const from = new Map<OriginId, number>();
    for (const [origin, told] of this.#epochs) {
      if (this.#settled?.retirement(origin) !== undefined) continue;
      const parted = partedAt(known.get(origin) ?? [], told);
      const isBehind = parted.told === undefined || parted.told > (parted.known ?? 0);
      if (parted.known !== undefined && isBehind) from.set(origin, parted.known);
    }
    return from;
  }
}

function lostLife(origin: OriginId, whose: string, reason: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `${whose} of origin ${origin} is from a life of its disk that was lost`, {
    reason,
  });
}
