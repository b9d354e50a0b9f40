import { isMeridianError, toMeridianError } from '../../model/errors.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';

export interface Patience {
  /** For how long something is tried again where the cluster cannot be reached or asks for patience. */
  readonly retryMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** Does what may be done twice, until it succeeds or fails for good. @throws what it throws last */
export async function patiently<T>(
  run: () => Promise<T>,
  { retryMs, clock, random }: Patience,
  signal: AbortSignal,
): Promise<T> {
  const backoff = new Backoff({ firstMs: 200, mostMs: 5000 }, random);
  const giveUpMs = clock.monotonicMs() + retryMs;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!mayPass(error) || clock.monotonicMs() >= giveUpMs) throw error;
      await sleep(clock, Math.max(backoff.nextMs(), toMeridianError(error).details.retryAfterMs ?? 0), signal);
    }
  }
}

function mayPass(error: unknown): boolean {
  return (
    isMeridianError(error, 'UNAVAILABLE') ||
    isMeridianError(error, 'RESOURCE_EXHAUSTED') ||
    isMeridianError(error, 'DEADLINE_EXCEEDED')
  );
}
