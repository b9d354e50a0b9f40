import type { OriginId } from '../model/position.ts';
import { emptyVector, joinVectors, meetVectors, type VersionVector } from '../model/version-vector.ts';
import type { Membership } from '../replication/membership.ts';

/**
 * Computes the settled vector (rule R19): what every registered origin covers, as heard in that origin's own feed, so
 * behind all that it sent before. What an origin that is away covers is what it said last; one that was never heard of
 * since this start covers nothing, as far as is known, and purging waits for it.
 */
export class Settlement {
  readonly #self: OriginId;
  readonly #membership: Membership;
  readonly #heard = new Map<OriginId, VersionVector>();

  constructor(self: OriginId, membership: Membership) {
    this.#self = self;
    this.#membership = membership;
  }

  /** A step of this origin's own feed said so. */
  heard(origin: OriginId, covered: VersionVector): void {
    this.#heard.set(origin, covered);
  }

  /** What an origin said last to cover; unset = nothing since this start. */
  of(origin: OriginId): VersionVector | undefined {
    return this.#heard.get(origin);
  }

  /** The settled vector of a node that covers this. It never falls: who is admitted later covers the admission first. */
  after(covered: VersionVector, before: VersionVector): VersionVector {
    let met = covered;
    for (const id of this.#membership.counted()) {
      if (id !== this.#self) met = meetVectors(met, this.#heard.get(id) ?? emptyVector);
    }
    return joinVectors(before, met);
  }
}
