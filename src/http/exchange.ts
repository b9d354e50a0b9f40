import type { Call } from '../model/call.ts';
import type { Trace } from '../model/trace.ts';

/**
 * One request with its answer. Its signal is made when it is first looked at, which an answer that is given at once never
 * does: a controller costs as much as a read from memory.
 */
export class Exchange implements Call {
  readonly beganMs: number;
  readonly deadlineMs: number;
  readonly requestId: string;
  /** Set where it is traced. */
  trace: Trace | undefined;
  /** Of whoever answers it, for metrics. */
  surface = 'none';
  #ending: AbortController | undefined;
  /** Why it ended early, where it did. */
  #reason: Error | undefined;

  /** Times are by the monotonic clock, in milliseconds. */
  constructor(beganMs: number, deadlineMs: number, requestId: string) {
    this.beganMs = beganMs;
    this.deadlineMs = deadlineMs;
    this.requestId = requestId;
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
