import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { Semaphore } from '../runtime/semaphore.ts';
import { withEither } from '../runtime/with-either.ts';

export interface LoadPermitsOptions {
  readonly clock: Clock;
  /** Loads and lists under way at once to the upstreams. */
  readonly loadsMax: number;
  /** Loads and lists that may wait for a permit; one more is refused. */
  readonly loadsWaitingMax: number;
}

/** Milliseconds after which a reader that was refused may try again. */
const retryAfterMs = 200;

/**
 * Limits the requests of an edge to its upstreams at once, so that cold caches that refill after an outage do not bring
 * an upstream down again. The rest wait in the order of arrival, no longer than their deadline.
 */
export class LoadPermits {
  readonly #options: LoadPermitsOptions;
  readonly #permits: Semaphore;

  constructor(options: LoadPermitsOptions) {
    this.#options = options;
    this.#permits = new Semaphore(options.loadsMax, options.loadsWaitingMax);
  }

  /** Runs once there is a permit. @throws RESOURCE_EXHAUSTED if too many wait, or none became free in time */
  async run<T>({ deadlineMs, signal }: Call, run: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const late = new AbortController();
    const timer = clock.timer(deadlineMs - clock.monotonicMs(), () => late.abort(this.refusal()));
    const placed = await withEither([signal, late.signal], (until) => this.#permits.acquire(until)).finally(() =>
      timer.cancel(),
    );
    if (!placed) throw this.refusal();
    try {
      return await run();
    } finally {
      this.#permits.release();
    }
  }

  refusal(): MeridianError {
    const { loadsMax } = this.#options;
    const waiting = this.#permits.waiting;
    return new MeridianError(
      'RESOURCE_EXHAUSTED',
      `${loadsMax} loads are under way and ${waiting} wait for a permit; none became free in time`,
      { reason: 'too-many-loads', limit: loadsMax, seen: loadsMax + waiting, retryAfterMs },
    );
  }
}
