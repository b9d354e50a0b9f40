import type { Clock } from '../../src/runtime/clock.ts';

/** Time passes only by waiting: each timer runs at once and moves the clock on. */
export function leapingClock(): Clock {
  let nowMs = 0;
  return {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    timer: (delayMs, run) => {
      queueMicrotask(() => {
        nowMs += delayMs;
        run();
      });
      return { cancel: () => {} };
    },
  };
}
