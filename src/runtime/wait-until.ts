import type { Clock } from './clock.ts';

export interface WaitOptions {
  readonly clock: Clock;
  /** By the monotonic clock, in milliseconds. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/**
 * Waits until the condition holds: it is looked at now and after each change, of which `onceChanged` tells once (and
 * returns how to take that back). False when the deadline passes first; throws the signal's reason when that is aborted.
 */
export async function waitUntil(
  holds: () => boolean,
  onceChanged: (run: () => void) => () => void,
  { clock, deadlineMs, signal }: WaitOptions,
): Promise<boolean> {
  while (!holds()) {
    signal.throwIfAborted();
    if (clock.monotonicMs() >= deadlineMs) return false;
    await new Promise<void>((resolve) => {
      const done = () => {
        forget();
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const forget = onceChanged(done);
      const timer = clock.timer(deadlineMs - clock.monotonicMs(), done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
  return true;
}
