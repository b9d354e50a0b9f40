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
