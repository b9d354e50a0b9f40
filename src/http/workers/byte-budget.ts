interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

/** A number of bytes that may be in use at once, given out in the order of asking. */
export class ByteBudget {
  #free: number;
  readonly #bytesMax: number;
  readonly #waitingMax: number;
  readonly #waiting: Waiting[] = [];

  /** At most `waitingMax` may wait; one more is turned away. */
  constructor(bytesMax: number, waitingMax: number) {
    this.#free = bytesMax;
    this.#bytesMax = bytesMax;
    this.#waitingMax = waitingMax;
  }

  /** Takes the bytes if nobody waits and they are free now. More than there are in all count as all. */
  tryTake(bytes: number): boolean {
    const wanted = Math.min(bytes, this.#bytesMax);
    if (this.#waiting.length > 0 || wanted > this.#free) return false;
    this.#free -= wanted;
    return true;
  }

  /** Waits for the bytes. False where too many wait already; throws the signal's reason when that is aborted first. */
  async take(bytes: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.tryTake(bytes)) return true;
    if (this.#waiting.length >= this.#waitingMax) return false;
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#grant();
        reject(signal.reason);
      };
      const grant = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const waiting = { bytes: Math.min(bytes, this.#bytesMax), grant };
      this.#waiting.push(waiting);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    return true;
  }

  give(bytes: number): void {
    this.#free += Math.min(bytes, this.#bytesMax);
    this.#grant();
  }

  /** To those who wait, in their order, as far as it goes. */
  #grant(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.bytes;
      next.grant();
    }
  }
}
