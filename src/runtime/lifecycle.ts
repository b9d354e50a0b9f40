import { setMaxListeners } from 'node:events';

/**
 * Background work that can be stopped: loops that watch one signal. `stop` aborts it and waits until each has ended;
 * a loop that fails is reported once, with its name, and never swallowed.
 */
export class Lifecycle {
  readonly #controller = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #failed: (name: string, error: unknown) => void;

  constructor(failed: (name: string, error: unknown) => void) {
    this.#failed = failed;
    // Each loop listens, and each stream that the node serves: many are no leak.
    setMaxListeners(0, this.signal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts a loop. It is to end soon after the signal; what it throws after that is the abort itself. */
  run(name: string, loop: (signal: AbortSignal) => Promise<void>): void {
    const running = loop(this.signal)
      .catch((error: unknown) => {
        if (!this.signal.aborted) this.#failed(name, error);
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async stop(): Promise<void> {
    this.#controller.abort(new Error('stopped'));
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
