import type { Clock } from '../runtime/clock.ts';

export interface CooldownTimes {
  /** Milliseconds after the first failure; doubled by each further one in a row. */
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Upstreams that are passed over for a while because they failed: longer with each failure in a row. */
export class Cooldowns {
  readonly #clock: Clock;
  readonly #times: CooldownTimes;
  readonly #resting = new Map<string, { failures: number; untilMs: number }>();

  constructor(clock: Clock, times: CooldownTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  failed(name: string): void {
    const failures = this.#resting.get(name)?.failures ?? 0;
    const restMs = Math.min(this.#times.mostMs, this.#times.firstMs * 2 ** Math.min(failures, 20));
    this.#resting.set(name, { failures: failures + 1, untilMs: this.#clock.monotonicMs() + restMs });
  }

  /** The next failure counts as the first again. A rest that has begun is not cut short. */
  succeeded(name: string): void {
    const resting = this.#resting.get(name);
    if (resting !== undefined) resting.failures = 0;
  }

  /** True if its last attempt failed. */
  hasFailed(name: string): boolean {
    return (this.#resting.get(name)?.failures ?? 0) > 0;
  }

  /** When its rest ends, in monotonic milliseconds; minus infinity for one that never failed. */
  untilMs(name: string): number {
    return this.#resting.get(name)?.untilMs ?? Number.NEGATIVE_INFINITY;
  }
}
