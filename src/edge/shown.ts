import type { Changes } from '../model/feed.ts';
import { mapKey } from '../model/key.ts';
import { emptyVector, joinVectors, type VersionVector, withPosition } from '../model/version-vector.ts';
import type { Ledger } from '../replication/ledger.ts';
import { type LostLife, withoutLives } from '../replication/lost-lives.ts';
import type { Flights } from './part.ts';

/** What the feed of a part has shown, covered or not (rule R13), and has named to whatever is under way (rule R12). */
export class Shown {
  readonly #ledger: Pick<Ledger, 'registry'>;
  readonly #flights: Flights;
  #vector: VersionVector = emptyVector;

  constructor(ledger: Pick<Ledger, 'registry'>, flights: Flights) {
    this.#ledger = ledger;
    this.#flights = flights;
  }

  /** Of a removed origin no more than is kept: nobody covers what is beyond its final sequence (rule R23). */
  get vector(): VersionVector {
    return this.#ledger.registry.membership.withinFinal(this.#vector);
  }

  show({ records, step }: Pick<Changes, 'records' | 'step'>): void {
    for (const { namespace, key, stamp, position } of records) {
      this.#vector = withPosition(this.#vector, position);
      this.#flights.named(mapKey(namespace, key), stamp);
    }
    if (step !== undefined) this.join(step.vector);
  }

  join(vector: VersionVector): void {
    this.#vector = joinVectors(this.#vector, vector);
  }

  /** What was of these lives is asked of nobody any more (rule R16). */
  lose(lives: readonly LostLife[]): void {
    this.#vector = withoutLives(this.#vector, lives);
  }

  clear(): void {
    this.#vector = emptyVector;
  }
}
