/** What waits for an answer and ends early with a signal: it knows its neighbours among all that end with the same one. */
export interface Signalled<T> {
  uses: SignalUses<T> | undefined;
  before: T | undefined;
  after: T | undefined;
}

export interface SignalUses<T> {
  readonly signal: AbortSignal;
  last: T | undefined;
}

/**
 * Listens to the signals of many calls, to each once: with thousands of listeners on the one signal that a client's
 * calls share, the end of each call would search all of them. The calls of one signal are a linked list, so that an
 * abort looks at these alone: thousands of signals that are aborted one after another would else look at all calls each.
 */
export class SharedSignals<T extends Signalled<T>> {
  readonly #uses = new Map<AbortSignal, SignalUses<T>>();
  readonly #aborted: (call: T) => void;
  readonly #listener = (event: Event): void => this.#endAll(event.target as AbortSignal);
  /** A signal that no call uses now, and the next one probably does. */
  #idle: AbortSignal | undefined;

  /** `aborted` is told of each call whose signal is aborted, in the order in which they came, and removes it. */
  constructor(aborted: (call: T) => void) {
    this.#aborted = aborted;
  }

  add(signal: AbortSignal, call: T): void {
    const uses = this.#uses.get(signal) ?? this.#listen(signal);
    if (this.#idle !== undefined) this.#wake(signal);
    call.uses = uses;
    call.before = uses.last;
    if (uses.last !== undefined) uses.last.after = call;
    uses.last = call;
  }

  /** Nothing if it was removed before. */
  remove(call: T): void {
    const { uses, before, after } = call;
    if (uses === undefined) return;
    if (before !== undefined) before.after = after;
    if (after === undefined) uses.last = before;
    else after.before = before;
    // A call that is over and old must not keep the later ones.
    call.uses = undefined;
    call.before = undefined;
    call.after = undefined;
    if (uses.last !== undefined) return;
    if (this.#idle !== undefined && this.#idle !== uses.signal) this.#forget(this.#idle);
    this.#idle = uses.signal;
  }

  #listen(signal: AbortSignal): SignalUses<T> {
    const uses: SignalUses<T> = { signal, last: undefined };
    this.#uses.set(signal, uses);
    signal.addEventListener('abort', this.#listener, { once: true });
    return uses;
  }

  #endAll(signal: AbortSignal): void {
    const calls: T[] = [];
    for (let call = this.#uses.get(signal)?.last; call !== undefined; call = call.before) calls.push(call);
    for (const call of calls.reverse()) this.#aborted(call);
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
