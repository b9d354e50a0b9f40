/**
 * Listens to the signals of many calls, to each once: with thousands of listeners on the one signal that a client's
 * calls share, the end of each call would search all of them.
 */
export class SharedSignals {
  readonly #uses = new Map<AbortSignal, number>();
  readonly #aborted: (signal: AbortSignal) => void;
  readonly #listener = (event: Event): void => this.#aborted(event.target as AbortSignal);
  /** A signal that no call uses now, and the next one probably does. */
  #idle: AbortSignal | undefined;

  constructor(aborted: (signal: AbortSignal) => void) {
    this.#aborted = aborted;
  }

  add(signal: AbortSignal): void {
    const uses = this.#uses.get(signal);
    if (this.#idle !== undefined) this.#wake(signal);
    if (uses === undefined) signal.addEventListener('abort', this.#listener, { once: true });
    this.#uses.set(signal, (uses ?? 0) + 1);
  }

  remove(signal: AbortSignal): void {
    const uses = (this.#uses.get(signal) ?? 1) - 1;
    this.#uses.set(signal, uses);
    if (uses > 0) return;
    if (this.#idle !== undefined && this.#idle !== signal) this.#forget(this.#idle);
    this.#idle = signal;
  }

  #wake(signal: AbortSignal): void {
    if (this.#idle !== signal && this.#idle !== undefined) this.#forget(this.#idle);
    this.#idle = undefined;
  }

  #forget(signal: AbortSignal): void {
    this.#uses.delete(signal);
    signal.removeEventListener('abort', this.#listener);
  }
}
