import { setMaxListeners } from 'node:events';

/**
 * Whether a node takes new traffic. It begins to drain once and for good: a node that is to take traffic again is started
 * again.
 *
 *     serving ──begin──▶ draining ──askStop──▶ the process stops
 */
export class Draining {
  readonly #begun = new AbortController();
  readonly #stopAsked = new AbortController();

  constructor() {
    // Every stream listens.
    setMaxListeners(0, this.#begun.signal);
  }

  /** Aborted from the beginning of the drain on. */
  get signal(): AbortSignal {
    return this.#begun.signal;
  }

  get hasBegun(): boolean {
    return this.#begun.signal.aborted;
  }

  /** Aborted where the process is to stop. */
  get stopAsked(): AbortSignal {
    return this.#stopAsked.signal;
  }

  /** Idempotent. */
  begin(): void {
    this.#begun.abort(new Error('the node drains'));
  }

  /** Begins, where that has not happened, and asks for the end of the process. Idempotent. */
  askStop(): void {
    this.begin();
    this.#stopAsked.abort(new Error('an administrator asked the node to stop'));
  }
}
