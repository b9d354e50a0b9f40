import { isMeridianError, type MeridianError, toMeridianError } from '../../model/errors.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';

export interface Patience {
  /** For how long something is tried again where the cluster cannot be reached or asks for patience. */
  readonly retryMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of the first failure after which it is tried again, and of none that follows without a success between. */
  readonly retrying?: (error: MeridianError) => void;
}

/** Does what may be done twice, until it succeeds or fails for good. @throws what it throws last */
export async function patiently<T>(run: () => Promise<T>, patience: Patience, signal: AbortSignal): Promise<T> {
  const tries = new Tries(patience, signal);
  tries.begin();
  for (;;) {
    try {
      return await run();
    } catch (error) {
      await tries.failed(error);
    }
  }
}

/** Says when something that failed is tried again, and for how long. */
export class Tries {
  readonly #patience: Patience;
  readonly #signal: AbortSignal;
  #backoff: Backoff | undefined;
  #giveUpMs: number | undefined;

  constructor(patience: Patience, signal: AbortSignal) {
    this.#patience = patience;
    this.#signal = signal;
  }

  /** The time for it runs from now on, and no longer from the first failure. */
  begin(): void {
    const { clock, retryMs } = this.#patience;
    this.#giveUpMs = clock.monotonicMs() + retryMs;
  }

  succeeded(): void {
    this.#giveUpMs = undefined;
    this.#backoff = undefined;
  }

  /** Resolves when it is to be tried again. @throws the error where it does not pass by itself, or the time is over */
  async failed(error: unknown): Promise<void> {
    const { clock, random, retryMs, retrying } = this.#patience;
    const nowMs = clock.monotonicMs();
    this.#giveUpMs ??= nowMs + retryMs;
    const failure = toMeridianError(error);
    const { retryAfterMs = 0 } = failure.details;
    // Whoever is told to come again after the time that there is need not wait for it.
    if (!mayPass(error) || nowMs >= this.#giveUpMs || nowMs + retryAfterMs > this.#giveUpMs) throw error;
    if (this.#backoff === undefined) retrying?.(failure);
    this.#backoff ??= new Backoff({ firstMs: 200, mostMs: 5000 }, random);
    await sleep(clock, Math.max(this.#backoff.nextMs(), retryAfterMs), this.#signal);
  }
}

function mayPass(error: unknown): boolean {
  return (
    isMeridianError(error, 'UNAVAILABLE') ||
    isMeridianError(error, 'RESOURCE_EXHAUSTED') ||
    isMeridianError(error, 'DEADLINE_EXCEEDED')
  );
}
