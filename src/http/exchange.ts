import type { Call } from '../model/call.ts';
import type { Trace } from '../model/trace.ts';
import type { Clock } from '../runtime/clock.ts';

/** A call over HTTP, whose client cannot say how long it may take. */
export interface HttpCall extends Call {
  /** Some of its body came, or of its answer was taken: its time begins anew, so that what moves is not cut. */
  moved(): void;
}

/**
 * One request with its answer. Its signal is made when it is first looked at, which an answer that is given at once never
 * does: a controller costs as much as a read from memory.
 */
export class Exchange implements HttpCall {
  readonly beganMs: number;
  deadlineMs: number;
  readonly requestId: string;
  /** Set where it is traced. */
  trace: Trace | undefined;
  /** Of whoever answers it, for metrics. */
  surface = 'none';
  readonly #clock: Clock;
  /** Milliseconds that it may take, or stand still. */
  readonly #exchangeMs: number;
  #ending: AbortController | undefined;
  /** Why it ended early, where it did. */
  #reason: Error | undefined;

  constructor(clock: Clock, exchangeMs: number, requestId: string) {
    this.#clock = clock;
    this.#exchangeMs = exchangeMs;
    this.beganMs = clock.monotonicMs();
    this.deadlineMs = this.beganMs + exchangeMs;
    this.requestId = requestId;
  }

  moved(): void {
    this.deadlineMs = this.#clock.monotonicMs() + this.#exchangeMs;
  }

  get signal(): AbortSignal {
    if (this.#ending === undefined) {
      this.#ending = new AbortController();
      if (this.#reason !== undefined) this.#ending.abort(this.#reason);
    }
    return this.#ending.signal;
  }

  /** Gives it up. */
  end(reason: Error): void {
    this.#reason ??= reason;
    this.#ending?.abort(reason);
  }
}
