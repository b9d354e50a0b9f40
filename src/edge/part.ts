import type { PartStatus } from '../model/cluster.ts';
import { agreesOn, type Epochs, type Openings } from '../model/epoch.ts';
import type { Filter } from '../model/filter.ts';
import type { RecordKey } from '../model/key.ts';
import type { Position } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import type { Bound } from '../model/staleness.ts';
import type { Stamp } from '../model/stamp.ts';
import { covers, joinVectors, type VersionVector, withPosition } from '../model/version-vector.ts';
import type { Ledger } from '../replication/ledger.ts';

/** What a part holds of a key. */
export interface HeldRecord {
  /** Undefined: a copy knows that the key was never written, or that its end was purged. */
  readonly record: Record | undefined;
  readonly superseded: boolean;
  readonly bound: Bound | undefined;
}

/** A part of the key space as an edge holds it: a copy of all, or a cache of what was asked for. */
export interface Part {
  readonly kind: 'copy' | 'cache';
  readonly ledger: Ledger;
  /** Of a copy: what it holds whole. */
  readonly filter?: Filter;
  /** False until the feed has caught up for the first time: nothing that is held means anything before. */
  readonly hasCaughtUp: boolean;
  /** False also while it takes in that lives of a disk were lost: what ends meanwhile may be of them (rule R16). */
  readonly mayInstall: boolean;
  /** Undefined where nothing is known. */
  lookup(key: RecordKey): Promise<HeldRecord | undefined>;
  /** What the feed has shown, covered or not (rule R13). */
  shown(): VersionVector;
  /** Grows with each resync, and with each life of a disk that is found to be lost (rules R13, R16). */
  generation(): number;
  bound(): Bound | undefined;
  /** Merges what a load or a write brought. */
  install(record: Record): Promise<void>;
  /**
   * Takes what the upstream was found to hold in place of what is held, if that is still the one compared (rule R11); a
   * cache forgets it. True where it did.
   */
  mend(key: RecordKey, held: Record | undefined, found: Record | undefined): Promise<boolean>;
  /** Listens for stamps that the feed names for a key (rule R12). */
  flights: Flights;
  status(): Promise<PartStatus>;
}

/** What every part tells of itself. */
export function partStatus(part: Pick<Part, 'kind' | 'ledger' | 'bound'>): PartStatus {
  const { covered, floor, settled } = part.ledger.state;
  const bound = part.bound();
  return {
    part: part.kind,
    includes: [],
    state: 'starting',
    covered,
    floor,
    settled,
    ...(bound === undefined ? {} : { boundMs: bound.boundMs, root: bound.root }),
  };
}

/** Loads and writes under way, by key: each learns the latest stamp that the feed names meanwhile (rule R12). */
export class Flights {
  readonly #flying = new Map<string, Set<Flight>>();

  begin(name: string): Flight {
    const flight: Flight = { latest: undefined };
    const flights = this.#flying.get(name) ?? new Set();
    this.#flying.set(name, flights.add(flight));
    return flight;
  }

  end(name: string, flight: Flight): void {
    const flights = this.#flying.get(name);
    flights?.delete(flight);
    if (flights?.size === 0) this.#flying.delete(name);
  }

  named(name: string, stamp: Stamp): void {
    for (const flight of this.#flying.get(name) ?? []) {
      if (flight.latest === undefined || flight.latest < stamp) flight.latest = stamp;
    }
  }
}

export interface Flight {
  latest: Stamp | undefined;
}

/** What must be known of a part when a load or write begins, to judge its answer by (rule R13). */
export interface Beginning {
  readonly known: VersionVector;
  readonly generation: number;
  readonly epochs: Epochs;
}

export function beginning(part: Part): Beginning {
  const { covered, epochs } = part.ledger.state;
  return { known: joinVectors(covered, part.shown()), generation: part.generation(), epochs };
}

/** What an answer tells of its responder. */
interface Answered {
  readonly covered: VersionVector;
  readonly openings: Openings;
}

/**
 * What is asked of any answer before what was written at `position` is kept of it: nothing began anew meanwhile, the
 * responder covers what was known, and it has that, and what is kept, from the lives of the disks that are known here.
 */
export function mayKeep(
  part: Part,
  begun: Beginning,
  { covered, openings }: Answered,
  position: Position | undefined,
): boolean {
  return (
    part.mayInstall &&
    part.generation() === begun.generation &&
    part.ledger.state.epochs === begun.epochs &&
    covers(covered, begun.known) &&
    agreesOn(withPosition(covered, position), openings, begun.epochs)
  );
}
