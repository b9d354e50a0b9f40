import type { SeededRandom } from '../../support/seeded-random.ts';
import type { VirtualTime } from '../../support/virtual-time.ts';
import type { Direction } from '../network/connection.ts';

/** The network between one process and its database. What is sent in a silent direction arrives once that is mended. */
export class DatabaseLine {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly #latencyMs: number;
  readonly #silent = new Set<Direction>();
  #mended: Array<() => void> = [];
  #broken: Array<() => void> = [];
  refuses = false;

  constructor({ time, random }: { readonly time: VirtualTime; readonly random: SeededRandom }) {
    this.time = time;
    this.random = random;
    this.#latencyMs = 0.3 + random.fraction() * 4;
  }

  cut(directions: readonly Direction[], how: 'silent' | 'reset'): void {
    for (const direction of directions) this.#silent.add(direction);
    if (how === 'silent') return;
    this.refuses = true;
    this.break();
  }

  /** Every connection is torn down. */
  break(): void {
    for (const run of this.#broken.splice(0)) run();
  }

  mend(): void {
    this.#silent.clear();
    this.refuses = false;
    for (const run of this.#mended.splice(0)) run();
  }

  /** Called once it is torn down. */
  onReset(run: () => void): void {
    this.#broken.push(run);
  }

  /** Called when what is sent now has arrived. */
  carry(direction: Direction, arrive: () => void): void {
    const arrived = () => {
      if (this.#silent.has(direction)) this.#mended.push(() => this.carry(direction, arrive));
      else arrive();
    };
    this.time.at(this.#latencyMs * (0.6 + this.random.fraction() * 0.8), arrived);
  }
}
