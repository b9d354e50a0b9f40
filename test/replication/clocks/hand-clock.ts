import type { Clock } from '../../../src/runtime/clock.ts';

/** A machine's two clocks, moved by hand: time passes on both, a step moves the wall clock alone. */
export class HandClock implements Clock {
  #monotonicMs = 5000;
  #wallMs = 1_700_000_000_000;

  wallMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  timer(): { cancel(): void } {
    return { cancel: () => {} };
  }

  pass(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  step(ms: number): void {
    this.#wallMs += ms;
  }
}
