/** A number of places, given out in the order of asking. */
export class Semaphore {
  #free: number;
  readonly #waiting: Array<() => void> = [];
  readonly #waitingMax: number;

  /** At most `waitingMax` may wait; one more is turned away. */
  constructor(places: number, waitingMax: number = Number.POSITIVE_INFINITY) {
    this.#free = places;
    this.#waitingMax = waitingMax;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes a place if one is free now. */
  tryAcquire(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /** Waits for a place. False where too many wait already; throws the signal's reason when that is aborted first. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.tryAcquire()) return true;
    if (this.#waiting.length >= this.#waitingMax) return false;
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(grant), 1);
        reject(signal.reason);
      };
      const grant = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      this.#waiting.push(grant);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    return true;
  }

  /** Gives the place to the first who waits. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
