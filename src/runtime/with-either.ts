import { setMaxListeners } from 'node:events';

/** A signal that is aborted with the first of others. Once it is no longer needed, `release` must be called. */
export interface Either {
  readonly signal: AbortSignal;
  release(): void;
}

/**
 * Aborted with the first of the given signals, for its reason. `AbortSignal.any` leaves something behind in each of its
 * sources for as long as that lives (Node.js 20): joined with one that lives as long as the process, a request at a
 * time, that fills the memory.
 */
export function either(signals: readonly AbortSignal[]): Either {
  const joined = new AbortController();
  const look = () => {
    const first = signals.find(({ aborted }) => aborted);
    if (first !== undefined) joined.abort(first.reason);
  };
  // Each of many calls at once listens, and takes its listener back; so do the parts of one call, to the joined signal.
  setMaxListeners(0, joined.signal, ...signals);
  for (const signal of signals) signal.addEventListener('abort', look, { once: true });
  look();
  return {
    signal: joined.signal,
    release: () => {
      for (const signal of signals) signal.removeEventListener('abort', look);
    },
  };
}

/** Runs with a signal that is aborted with the first of the given ones, and lets go of them when it is done. */
export async function withEither<T>(
  signals: readonly AbortSignal[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const joined = either(signals);
  try {
    return await run(joined.signal);
  } finally {
    joined.release();
  }
}
