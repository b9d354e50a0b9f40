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

const givesAFading = 256;
/** Who used less than this since the fading before used nothing. */
const spentBytesMin = 64 * 1024;

/**
 * A number of bytes that may be in use at once. They are given out in the order of asking among what one caller asks
 * for; among callers, first to the one who used the least lately: who asks for a thousand things waits for his own, and
 * who asks for little is next.
 */
export class FairBudget {
  readonly #bytesMax: number;
  readonly #callerBytesMax: number;
  readonly #waitingMax: number;
  readonly #callerWaitingMax: number;
  #free: number;
  readonly #inUse = new Map<Caller, number>();
  /** Bytes that each has used lately; who is not here used none. */
  readonly #spent = new Map<Caller, number>();
  #givenSinceFading = 0;
  /** Nobody stands here who does not wait. */
  readonly #lines = new Map<Caller, Waiting[]>();
  #waiting = 0;
  /** Whoever is next waits for more than is free, so that nobody may take it from under him. */
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

  /** Gives the bytes back; of them so many were used in the end. */
  give(bytes: number, caller: Caller, usedBytes: number = bytes): void {
    this.#spent.set(caller, (this.#spent.get(caller) ?? 0) + usedBytes);
    this.#fade();
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

  /** What was used long ago counts for less, and then for nothing. */
  #fade(): void {
    if (++this.#givenSinceFading < givesAFading) return;
    this.#givenSinceFading = 0;
    for (const [caller, bytes] of this.#spent) {
      if (bytes < spentBytesMin) this.#spent.delete(caller);
      else this.#spent.set(caller, bytes / 2);
    }
  }

  /** Whoever waits, is within his share, and used the least. */
  #next(): readonly [Caller, Waiting] | undefined {
    let found: readonly [Caller, Waiting] | undefined;
    let leastBytes = Number.POSITIVE_INFINITY;
    for (const [caller, [first]] of this.#lines) {
      const spentBytes = this.#spent.get(caller) ?? 0;
      if (first === undefined || spentBytes >= leastBytes || !this.#isWithinShare(first.bytes, caller)) continue;
      leastBytes = spentBytes;
      found = [caller, first];
    }
    return found;
  }

  #grant(): void {
    this.#isShort = false;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [caller, waiting] = next;
      if (waiting.bytes > this.#free) {
        this.#isShort = true;
        return;
      }
      this.#leave(caller, waiting);
      this.#use(waiting.bytes, caller);
      // So that many who have used nothing take turns.
      this.#spent.set(caller, (this.#spent.get(caller) ?? 0) + 1);
      waiting.grant();
    }
  }
}
