import { type Clock, sleep } from './clock.ts';
import { withEither } from './with-either.ts';

/** Says that something may have changed, to whoever waits for it now; who looks later looks for itself. */
export class Notice {
  readonly #waiting = new Set<() => void>();

  give(): void {
    for (const run of [...this.#waiting]) run();
  }

  /** Resolves with the next notice, or when the signal is aborted. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (signal.aborted) return resolve();
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/**
 * Looks at once, and again after each notice, also one that is given during a look, and `restMs` milliseconds after the last
 * look at the latest. Ends with the signal, or where a look resolves with true. A look that fails is tried again.
 */
export async function lookAgain(
  notice: Notice,
  look: () => Promise<unknown>,
  { clock, restMs, signal }: { readonly clock: Clock; readonly restMs: number; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const woken = new AbortController();
    const noticed = notice.next(signal).then(() => woken.abort());
    if ((await look().catch(() => false)) === true) return;
    await withEither([signal, woken.signal], (until) => sleep(clock, restMs, until)).catch(() => {});
    notice.give();
    await noticed;
  }
}
