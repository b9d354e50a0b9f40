import type { Clock, Timer } from './clock.ts';

/**
 * One timer for the deadlines of many things that begin and end all the time: a timer each would cost more than most of
 * them do. It is set to the earliest deadline that was ever told since it last ran, and moves when one is earlier; so
 * where all have the same time to go it is set about once in that time.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #late: (nowMs: number) => number;
  #nextMs = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;

  /** `late` ends whatever is late by that monotonic time, and tells the earliest deadline that is left, or infinity. */
  constructor(clock: Clock, late: (nowMs: number) => number) {
    this.#clock = clock;
    this.#late = late;
  }

  /** Something is to end by then. */
  add(deadlineMs: number): void {
    if (deadlineMs >= this.#nextMs) return;
    this.#timer?.cancel();
    this.#nextMs = deadlineMs;
    this.#timer = this.#clock.timer(deadlineMs - this.#clock.monotonicMs(), () => {
      this.#nextMs = Number.POSITIVE_INFINITY;
      const next = this.#late(this.#clock.monotonicMs());
      if (next < Number.POSITIVE_INFINITY) this.add(next);
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#nextMs = Number.POSITIVE_INFINITY;
  }
}
