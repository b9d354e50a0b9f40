import type { CaughtUp, Changes } from '../../model/feed.ts';
import { mapKey } from '../../model/key.ts';
import { holds } from '../../model/rules.ts';
import { type Stamp, topStamp } from '../../model/stamp.ts';
import { emptyVector, joinVectors, type VersionVector, withPosition } from '../../model/version-vector.ts';
import type { Logs } from '../logs.ts';

/** A load, a write or a read of the disk that is under way. */
export interface InFlight {
  /** The latest stamp that the feed has named for its key meanwhile. */
  latest: Stamp | undefined;
}

/**
 * What the feed of a scope has shown, covered or not (rule R13), and the stamps that it names to requests under way
 * (rule R12). An answer is judged by both before it is kept.
 */
export class Observed {
  readonly #logs: Logs;
  readonly #inFlight = new Map<string, Set<InFlight>>();
  #vector: VersionVector = emptyVector;
  #generation = 0;

  constructor(logs: Logs) {
    this.#logs = logs;
  }

  get vector(): VersionVector {
    return this.#vector;
  }

  /** Grows with each resync: a load or write that began before is not kept. */
  get generation(): number {
    return this.#generation;
  }

  /** Takes an event before anything is awaited: no load that ends meanwhile may pass for the latest. */
  show(event: Changes | CaughtUp): void {
    if (event.kind === 'caught-up') {
      this.#join(event.vector);
      return;
    }
    for (const { namespace, key, stamp, position } of event.records) {
      this.#vector = withPosition(this.#vector, position);
      this.name(mapKey(namespace, key), stamp);
    }
    // The stamp of a lost record is unknown: no load under way may pass for later.
    for (const { namespace, key, position } of event.lost?.records ?? []) {
      this.#vector = withPosition(this.#vector, position);
      this.name(mapKey(namespace, key), topStamp);
    }
    if (event.step !== undefined) this.#join(event.step.vector);
  }

  /** The feed names a stamp for a key. */
  name(name: string, stamp: Stamp): void {
    if (!holds('R12 loads listen')) return;
    for (const inFlight of this.#inFlight.get(name) ?? []) {
      if (inFlight.latest === undefined || inFlight.latest < stamp) inFlight.latest = stamp;
    }
  }

  begin(name: string): InFlight {
    const inFlight: InFlight = { latest: undefined };
    const others = this.#inFlight.get(name) ?? new Set();
    this.#inFlight.set(name, others.add(inFlight));
    return inFlight;
  }

  end(name: string, inFlight: InFlight): void {
    const others = this.#inFlight.get(name);
    others?.delete(inFlight);
    if (others?.size === 0) this.#inFlight.delete(name);
  }

  /** A resync: what was shown is void. */
  clear(): void {
    this.#vector = emptyVector;
    this.void();
  }

  /** Nothing that is under way may be kept. */
  void(): void {
    this.#generation++;
  }

  #join(vector: VersionVector): void {
    this.#vector = this.#logs.fold(joinVectors(this.#vector, vector));
  }
}
