import type { Clock } from '../../src/runtime/clock.ts';

/** A clock that stands still until it is moved; what falls due is run then. */
export class FakeClock implements Clock {
  #nowMs = 1_000_000;
  #suspendedMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly run: () => void }>();

  wallMs(): number {
    return this.#nowMs + this.#suspendedMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  timer(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** The machine sleeps for so long: its monotonic clock stands still. */
  suspend(ms: number): void {
    this.#suspendedMs += ms;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers].filter(({ dueMs }) => dueMs <= this.#nowMs)) {
      this.#timers.delete(timer);
      timer.run();
    }
  }
}
