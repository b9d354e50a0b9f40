import type { Clock } from './clock.ts';

/** setTimeout holds 31 bits; a longer delay would fire at once. */
const delayMsMax = 2 ** 31 - 1;

/** The machine's own clocks. A timer keeps the process alive until it has run or is cancelled. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  timer: (delayMs, run) => {
    const handle = setTimeout(run, Math.min(Math.max(0, delayMs), delayMsMax));
    return { cancel: () => clearTimeout(handle) };
  },
};
