import type { NodeIdentity } from '../model/cluster.ts';
import { cursorOf, type Epochs, partedAt } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { CaughtUp, Change, Changes } from '../model/feed.ts';
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

function toldBy(event: Changes | CaughtUp): Told {
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
    const parted = partedAt(epochs.get(origin), history);
    if (parted.known === undefined || parted.told === undefined || settled?.retirement(origin) !== undefined) continue;
    if (parted.told <= parted.known && (covered.get(origin) ?? 0) >= parted.known) return origin;
  }
  return undefined;
}

export interface Follower {
  readonly isOrigin: boolean;
  /** Whether what it covers means anything. Where it does not, what it is told counts. */
  readonly claims: () => boolean;
  /** Called where the next stream is to begin with nothing, whatever its server says to the cursor. */
  readonly beginAnew: () => void;
}

/**
 * What the server of one stream told of openings, judged against what is known here. A follower takes nothing of a server
 * that has yet to hear of a removal that it knows (rule R23), nor of one that tells of another life of a disk than what it
 * covers is from, nor, where the server is the one that has yet to hear of an opening, what that one took the place of:
 * joined, the openings would vouch for what was lost (rule R16). Of a scan it takes the rest: the word of a removal, by
 * which the lives are told apart, may be among it.
 */
export class Telling {
  readonly #ledger: Pick<Ledger, 'registry' | 'state'>;
  readonly #follower: Follower;
  #server: string | undefined;
  #epochs: Epochs = new Map();
  #lost: { readonly known: Epochs; readonly from: VersionVector } | undefined;
  /** Of which something was left out of what this stream scanned. */
  #leftOut: OriginId | undefined;

  constructor(ledger: Pick<Ledger, 'registry' | 'state'>, follower: Follower) {
    this.#ledger = ledger;
    this.#follower = follower;
  }

  /** A stream of this server begins. */
  opened({ id }: Pick<NodeIdentity, 'id'>): void {
    this.#server = id;
    this.#epochs = new Map();
    this.#lost = undefined;
    this.#leftOut = undefined;
  }

  /** What is to be applied of the event, and what it told. @throws UNAVAILABLE */
  check<E extends Changes | CaughtUp>(event: E): { readonly taken: E; readonly told: Told } {
    const { registry, state } = this.#ledger;
    const told = toldBy(event);
    if (told.vector !== undefined) registry.membership.checkHeard(told.vector);
    if (told.epochs.size > 0) {
      const settled = this.#follower.isOrigin ? registry.membership : undefined;
      const torn = lostBy(state, told.epochs, settled);
      if (torn !== undefined) {
        this.#follower.beginAnew();
        throw lostLife(torn, 'what is held', 'begins-anew');
      }
      this.#epochs = new Map([...this.#epochs, ...told.epochs]);
      this.#lost = undefined;
    }
    return { taken: this.#without(event, told.vector), told };
  }

  /** The event without what is of a life that was lost; a consistent step is refused, its server being none to go on with. */
  #without<E extends Changes | CaughtUp>(event: E, vector: VersionVector | undefined): E {
    const lost = this.#lostFrom();
    if (vector !== undefined) {
      const refused = this.#leftOut ?? [...lost].find(([origin, from]) => (vector.get(origin) ?? 0) >= from)?.[0];
      if (refused !== undefined && refused === this.#server && !this.#follower.isOrigin) {
        // Nobody knows better of its own log than an origin: what was heard here is of a life that it has lost.
        this.#follower.beginAnew();
        throw lostLife(refused, 'what was heard', 'begins-anew');
      }
      if (refused !== undefined) throw lostLife(refused, 'what the upstream holds', 'lost-life');
    }
    if (event.kind !== 'changes' || (lost.size === 0 && this.#leftOut === undefined)) return event;
    const isLost = ({ position: { origin, sequence } }: Change) => sequence >= (lost.get(origin) ?? Infinity);
    this.#leftOut ??= event.records.find(isLost)?.position.origin;
    if (this.#leftOut === undefined) return event;
    // What was left out must come again: the scan has got no further, as far as this node is concerned.
    const { token: _token, range: _range, ...shown } = event;
    return { ...(shown as E), records: event.records.filter((record) => !isLost(record)) };
  }

  /** For each origin of whose life the server knows one that was lost: the first sequence of what took its place. */
  #lostFrom(): VersionVector {
    const { state, registry } = this.#ledger;
    if (!this.#follower.claims()) return emptyVector;
    if (this.#lost?.known !== state.epochs) this.#lost = { known: state.epochs, from: this.#compared(state.epochs) };
    const { from } = this.#lost;
    // A removal tells the lives apart by its final sequence.
    const isOpen = ([origin]: readonly [OriginId, number]) => registry.membership.retirement(origin) === undefined;
    return from.size === 0 ? from : new Map([...from].filter(isOpen));
  }

  #compared(known: Epochs): VersionVector {
    const from = new Map<OriginId, number>();
    for (const [origin, told] of this.#epochs) {
      const parted = partedAt(known.get(origin), told);
      const isBehind = parted.told === undefined || parted.told > (parted.known ?? 0);
      if (parted.known !== undefined && isBehind) from.set(origin, parted.known);
    }
    return from;
  }
}

export function lostLife(origin: OriginId, whose: string, reason: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `${whose} of origin ${origin} is from a life of its disk that was lost`, {
    reason,
  });
}

/** Another feed told of openings since an event was judged, perhaps of what took the place of what it shows. */
export class HeardMeanwhile extends MeridianError {
  constructor() {
    super('UNAVAILABLE', 'openings of an origin were heard of meanwhile', { reason: 'openings-heard' });
  }
}
