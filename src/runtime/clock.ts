/** Time as the rest of the code sees it. The simulator has one of its own. */
export interface Clock {
  /** Milliseconds since 1970, whole; may step in either direction. */
  wallMs(): number;
  /** Milliseconds since some moment of this process, with fractions; never goes back, and stands still in a suspended machine. */
  monotonicMs(): number;
  /** Calls once after `delayMs` at the earliest. */
  timer(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** Resolves after the delay; rejects with the signal's reason as soon as that is aborted. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.timer(delayMs, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** The time by which a node judges whether records have expired (rule R9). */
export interface ExpiryClock {
  /** Milliseconds since 1970, with fractions; steps where the clock that it goes by does. */
  nowMs(): number;
}
