import { setMaxListeners } from 'node:events';

/**
 * Runs with a signal that is aborted with the first of the given ones, for its reason, and lets go of them when it is
 * done. `AbortSignal.any` leaves something behind in each of its sources for as long as that lives (Node.js 20): joined
 * with one that lives as long as the process, a request at a time, that fills the memory.
 */
export async function withEither<T>(
  signals: readonly AbortSignal[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const joined = new AbortController();
  const look = () => {
    const first = signals.find(({ aborted }) => aborted);
    if (first !== undefined) joined.abort(first.reason);
  };
  // Each of many calls at once listens, and takes its listener back.
  setMaxListeners(0, ...signals);
  for (const signal of signals) signal.addEventListener('abort', look, { once: true });
  look();
  try {
    return await run(joined.signal);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', look);
  }
}
