import { SeededRandom } from '../support/seeded-random.ts';
import type { Stage } from './faults.ts';
import type { Process } from './nodes/process.ts';

const hourMs = 3_600_000;
/** Milliseconds by which clocks of edges are off; those of origins are about right, or peers would not follow them. */
const offsetsMs = [0, 0, -3000, 3000, -hourMs, hourMs];
/** Other ones: two clocks that are wrong in the same way count as right. */
const jumpsMs = [-1.5 * hourMs, 1.5 * hourMs];

/** Milliseconds between two jumps: whoever looks at the clock now and then takes two in a row for one that lasts. */
const apartMs = 200;

/**
 * Clocks that are far off: those of edges for long, stepped again and again, and the one of a lone origin for moments. Draws
 * chances of its own, so that the rest of a history is what its seed always made of it.
 */
export class ClockFaults {
  /**
   * True where the clock of the lone origin jumps. Then its disk is not put back: what it opened meanwhile would count as later
   * than anything that it opens once the clock is right.
   */
  readonly jumps: boolean;
  readonly #stage: Omit<Stage, 'random'>;
  readonly #random: SeededRandom;
  #over = false;
  #apartUntilMs = 0;

  constructor(stage: Omit<Stage, 'random'>, seed: number) {
    this.#stage = stage;
    this.#random = new SeededRandom(seed ^ 0x5eed);
    this.jumps = stage.cluster.origins.length === 1 && this.#random.chance(0.3);
  }

  /** Before the nodes start. */
  begin(withinMs: number): void {
    const { cluster, time } = this.#stage;
    const random = this.#random;
    for (const edge of cluster.edges) {
      this.#step(edge, random.pick(offsetsMs));
      if (random.chance(0.5))
        this.#later(random.between(100, withinMs), () => this.#step(edge, random.pick(offsetsMs)));
    }
    const [origin] = cluster.origins;
    if (origin === undefined || !this.jumps) return;
    for (let jumps = random.between(1, 3); jumps > 0; jumps--) {
      this.#later(random.between(500, withinMs), () => {
        const [offsetMs, lastsMs] = [random.pick(jumpsMs), random.between(10, 250)];
        if (time.nowMs < this.#apartUntilMs) return;
        this.#apartUntilMs = time.nowMs + lastsMs + apartMs;
        this.#step(origin, offsetMs);
        // Not for as long as it takes until a clock is relied on.
        time.at(lastsMs, () => this.#step(origin, 0));
      });
    }
  }

  /** Origins' clocks are right from now on. */
  end(): void {
    this.#over = true;
  }

  #later(delayMs: number, run: () => void): void {
    this.#stage.time.at(delayMs, () => {
      if (!this.#over) run();
    });
  }

  #step(process: Process<unknown>, offsetMs: number): void {
    const { oracles, coverage } = this.#stage;
    process.stepClock(offsetMs);
    if (offsetMs === 0) return;
    oracles.trace.note(() => `fault: the clock of ${process.name} is off by ${offsetMs} ms`);
    coverage.count('fault: clock far off');
  }
}
