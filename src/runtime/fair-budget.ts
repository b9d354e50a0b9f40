export interface FairBudgetOptions {
  /** Bytes that may be in use at once. */
  readonly bytesMax: number;
  /** Of them, those of one caller. One that uses none may take more at once than its share. Default: all. */
  readonly callerBytesMax?: number;
  /** Who may wait at once; one more is turned away. */
  readonly waitingMax: number;
  /** Of them, those of one caller. Default: all. */
  readonly callerWaitingMax?: number;
}

/** Whoever has a share: a connection, or its name. */
export type Caller = object | string;

interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * A number of bytes that may be in use at once. They are given out in the order of asking among what one caller asks
 * for, and in turn among callers: who asks for a thousand things waits for his own, and others do not.
 */
export class FairBudget {
  readonly #bytesMax: number;
  readonly #callerBytesMax: number;
  readonly #waitingMax: number;
  readonly #callerWaitingMax: number;
  #free: number;
  readonly #inUse = new Map<Caller, number>();
  /** Whose turn it is stands first. Nobody stands here who does not wait. */
  readonly #lines = new Map<Caller, Waiting[]>();
  #waiting = 0;
  /** Whoever is first in turn waits for more than is free, so that nobody may take it from under him. */
  #isShort = false;

  constructor({ bytesMax, callerBytesMax, waitingMax, callerWaitingMax }: FairBudgetOptions) {
    this.#bytesMax = bytesMax;
    this.#callerBytesMax = callerBytesMax ?? bytesMax;
    this.#waitingMax = waitingMax;
    this.#callerWaitingMax = callerWaitingMax ?? waitingMax;
    this.#free = bytesMax;
  }

  get bytesInUse(): number {
    return this.#bytesMax - this.#free;
  }

  /** Takes the bytes if they are free now and nobody waits who would be passed. More than there are in all count as all. */
  tryTake(bytes: number, caller: Caller): boolean {
    const wanted = Math.min(bytes, this.#bytesMax);
    if (this.#isShort || this.#lines.has(caller) || !this.#isWithinShare(wanted, caller) || wanted > this.#free) {
      return false;
    }
    this.#use(wanted, caller);
    return true;
  }

  /** Waits for the bytes. False where too many wait already; throws the signal's reason when that is aborted first. */
  async take(bytes: number, caller: Caller, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.tryTake(bytes, caller)) return true;
    const line = this.#lines.get(caller) ?? [];
    if (this.#waiting >= this.#waitingMax || line.length >= this.#callerWaitingMax) return false;
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#leave(caller, waiting);
        this.#grant();
        reject(signal.reason);
      };
      const grant = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const waiting = { bytes: Math.min(bytes, this.#bytesMax), grant };
      line.push(waiting);
      this.#lines.set(caller, line);
      this.#waiting++;
      signal.addEventListener('abort', onAbort, { once: true });
      this.#grant();
    });
    return true;
  }

  give(bytes: number, caller: Caller): void {
    const given = Math.min(bytes, this.#bytesMax);
    this.#free += given;
    const left = (this.#inUse.get(caller) ?? 0) - given;
    if (left > 0) this.#inUse.set(caller, left);
    else this.#inUse.delete(caller);
    this.#grant();
  }

  #isWithinShare(bytes: number, caller: Caller): boolean {
    const inUse = this.#inUse.get(caller) ?? 0;
    return inUse === 0 || inUse + bytes <= this.#callerBytesMax;
  }

  #use(bytes: number, caller: Caller): void {
    this.#free -= bytes;
    this.#inUse.set(caller, (this.#inUse.get(caller) ?? 0) + bytes);
  }

  #leave(caller: Caller, waiting: Waiting): void {
    const line = this.#lines.get(caller);
    const at = line?.indexOf(waiting) ?? -1;
    if (line === undefined || at < 0) return;
    line.splice(at, 1);
    this.#waiting--;
    if (line.length === 0) this.#lines.delete(caller);
  }

  /** One each to those who wait, in turn, as far as it goes. */
  #grant(): void {
    for (let granted = true; granted; ) {
      granted = false;
      this.#isShort = false;
      for (const [caller, line] of this.#lines) {
        const [next] = line;
        if (next === undefined || !this.#isWithinShare(next.bytes, caller)) continue;
        if (next.bytes > this.#free) {
          this.#isShort = true;
          return;
        }
        this.#leave(caller, next);
        if (line.length > 0) {
          // To the end of the turn.
          this.#lines.delete(caller);
          this.#lines.set(caller, line);
        }
        this.#use(next.bytes, caller);
        next.grant();
        granted = true;
        break;
      }
    }
  }
}
