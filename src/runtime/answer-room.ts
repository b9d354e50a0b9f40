import { type Caller, FairBudget } from './fair-budget.ts';
import { ValueSizes } from './value-sizes.ts';

export interface AnswerRoomOptions {
  /** Bytes of large values in memory for answers: a quarter for those being read, the rest for those on their way. */
  readonly bytesMax: number;
  /** Bytes: a smaller value goes to its reader at once, and is not counted. Default 64 KiB. */
  readonly largeBytesMin?: number;
}

const bounds = {
  largeBytesMin: 64 * 1024,
  /** Bytes that a value is taken to have in a namespace of which none was read. */
  unknownBytes: 4 * 1024 * 1024,
  /** Names, and namespaces, whose last size is remembered. */
  namesMax: 10_000,
  waitingMax: 4096,
  callerWaitingMax: 1024,
  /** What part of all is for values being read: few at once, as they hold up what is read beside them. */
  readingShare: 1 / 4,
  /** One caller, that is one connection, has this part of each. */
  callerShare: 1 / 2,
} as const;

export interface Asked {
  /** Whose share it is: the connection. */
  readonly caller: Caller;
  readonly namespace: string;
  readonly key: string;
  /** Read late, as it may be made when it is looked at. */
  readonly call: { readonly signal: AbortSignal };
  /** Bytes that the value is at least expected to have where it was not read before. Default: as its namespace shows. */
  readonly expectedBytesMin?: number;
}

export interface Held<A> {
  readonly answer: A;
  /** To be called once the reader has it, or is gone. Idempotent. */
  readonly release: () => void;
}

/**
 * Room in memory for answers with large values, for all listeners of a node. Readers that do not read, or that go away
 * and come again, would fill the memory with values that nobody takes: so a value that is known to be large waits for
 * room before it is read from disk; one that may be large waits for one of few places to be read; and one that turns
 * out to be large, and finds no room to be sent, is let go and read again when there is. Small values wait for nothing.
 */
export class AnswerRoom {
  readonly #largeBytesMin: number;
  readonly #sizes: ValueSizes;
  /** Values on their way to readers. */
  readonly #leaving: FairBudget;
  /** Values being read that are large, or of which nobody knows. Who reads slowly holds nothing here. */
  readonly #reading: FairBudget;

  constructor({ bytesMax, largeBytesMin = bounds.largeBytesMin }: AnswerRoomOptions) {
    this.#largeBytesMin = largeBytesMin;
    this.#sizes = new ValueSizes({ ...bounds, largeBytesMin });
    const budgetOf = (part: number) => {
      return new FairBudget({ ...bounds, bytesMax: part, callerBytesMax: part * bounds.callerShare });
    };
    this.#reading = budgetOf(bytesMax * bounds.readingShare);
    this.#leaving = budgetOf(bytesMax * (1 - bounds.readingShare));
  }

  /** Bytes of answers that are on their way. */
  get bytesLeaving(): number {
    return this.#leaving.bytesInUse;
  }

  /** Bytes from which on an answer is counted. */
  get largeBytesMin(): number {
    return this.#largeBytesMin;
  }

  /** Bytes that the value had when it was read last; undefined where that is unknown. */
  known(namespace: string, key: string): number | undefined {
    return this.#sizes.known(namespace, key);
  }

  /** Bytes that a value of the namespace may have which was not read yet; 0 where it shows small ones alone. */
  expected(namespace: string): number {
    return this.#sizes.expected(namespace);
  }

  /** A value was seen that no `hold` read. */
  note(namespace: string, key: string, bytes: number): void {
    this.#sizes.note(namespace, key, bytes);
  }

  /**
   * Reads an answer within the bounds, to be sent. Undefined where too many wait already. `read` may be called twice.
   * @throws what `read` throws, and the signal's reason when that is aborted while it waits
   */
  async hold<A>(asked: Asked, read: () => Promise<A>, bytesOf: (answer: A) => number): Promise<Held<A> | undefined> {
    const { caller, namespace, key } = asked;
    const isLarge = () => (this.#sizes.known(namespace, key) ?? 0) >= this.#largeBytesMin;
    if (isLarge()) return this.#holdInRoom(asked, read, bytesOf);
    // What another one has read while this one waited, and what finds no room to be sent, is `large` and let go.
    let bytes = 0;
    const readSmall = async (): Promise<A | typeof large> => {
      if (isLarge()) return large;
      const answer = await read();
      bytes = bytesOf(answer);
      if (bytes < this.#largeBytesMin || this.#leaving.tryTake(bytes, caller)) return answer;
      this.#sizes.note(namespace, key, bytes);
      return large;
    };
    const sizeOf = (answer: A | typeof large) => (answer === large ? (this.#sizes.known(namespace, key) ?? 0) : bytes);
    const found = await this.#readOne(asked, readSmall, sizeOf);
    if (found === undefined) return undefined;
    if (found.answer === large) return this.#holdInRoom(asked, read, bytesOf);
    const release = bytes < this.#largeBytesMin ? nothing : this.#releaseOnce(bytes, caller);
    return { answer: found.answer, release };
  }

  /** Reads an answer for which its caller has room already, see `reserve`. Undefined and throws as `hold`. */
  async read<A>(asked: Asked, read: () => Promise<A>, bytesOf: (answer: A) => number): Promise<A | undefined> {
    const found = await this.#readOne(asked, read, bytesOf);
    return found?.answer;
  }

  /** Room for an answer of several values. Undefined where too many wait already; throws the signal's reason. */
  async reserve(bytes: number, { caller, call }: Pick<Asked, 'caller' | 'call'>): Promise<(() => void) | undefined> {
    return (await this.#leaving.take(bytes, caller, call.signal)) ? this.#releaseOnce(bytes, caller) : undefined;
  }

  /** The same at once; undefined where there is no room now. A smaller answer than a large one needs none. */
  tryReserve(bytes: number, caller: Caller): (() => void) | undefined {
    if (bytes < this.#largeBytesMin) return nothing;
    return this.#leaving.tryTake(bytes, caller) ? this.#releaseOnce(bytes, caller) : undefined;
  }

  /** Waits for room for as many bytes as the answer had before, and reads it then. */
  async #holdInRoom<A>(
    asked: Asked,
    read: () => Promise<A>,
    bytesOf: (answer: A) => number,
  ): Promise<Held<A> | undefined> {
    const { caller, namespace, key, call } = asked;
    const bytes = this.#sizes.known(namespace, key) ?? this.#sizes.expected(namespace);
    if (!(await this.#leaving.take(bytes, caller, call.signal))) return undefined;
    const release = this.#releaseOnce(bytes, caller);
    try {
      const found = await this.#readOne(asked, read, bytesOf);
      if (found === undefined) release();
      return found === undefined ? undefined : { answer: found.answer, release };
    } catch (error) {
      // It may be gone, and whoever asks for what is gone need not wait.
      this.#sizes.forget(namespace, key);
      release();
      throw error;
    }
  }

  /** In one of the places for values that may be large, unless this one is known or expected to be small. */
  async #readOne<A>(
    { caller, namespace, key, call, expectedBytesMin = 0 }: Asked,
    read: () => Promise<A>,
    bytesOf: (answer: A) => number,
  ): Promise<{ readonly answer: A } | undefined> {
    const known = this.#sizes.known(namespace, key);
    const wanted = known ?? Math.max(this.#sizes.expected(namespace), expectedBytesMin);
    const isCounted = wanted >= this.#largeBytesMin;
    if (isCounted && !(await this.#reading.take(wanted, caller, call.signal))) return undefined;
    let bytes = 0;
    try {
      const answer = await read();
      bytes = bytesOf(answer);
      this.#sizes.note(namespace, key, bytes);
      return { answer };
    } finally {
      if (isCounted) this.#reading.give(wanted, caller, bytes);
    }
  }

  #releaseOnce(bytes: number, caller: Caller): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#leaving.give(bytes, caller);
    };
  }
}

const large = Symbol('large');
const nothing = (): void => {};
