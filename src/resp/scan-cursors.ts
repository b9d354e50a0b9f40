import type { Random } from '../runtime/random.ts';

/** Scans that can be gone on with. */
const cursorsMax = 4096;
/** Bits that every client can hold in a number. */
const numberMax = 2 ** 48;

export interface ScanPlace {
  readonly namespace: string;
  readonly prefix: string;
  /** Of a list of the namespace and prefix. */
  readonly cursor: string;
}

interface Kept extends ScanPlace {
  /** The number that this place was reached from. */
  readonly from: string | undefined;
  readonly share: string;
}

/**
 * Redis' cursors are numbers, and those of our lists are texts that hold a key. So a number stands for a text here, for
 * all connections of a node, since clients go on with a scan on any connection of their pool. Beyond as many as there may be,
 * whoever has the most loses the one that he got first: a caller who begins thousands of scans loses his own, and no other's.
 */
export class ScanCursors {
  readonly #random: Random;
  readonly #places = new Map<string, Kept>();
  /** The numbers of each share, the oldest first. Nobody stands here who has none. */
  readonly #shares = new Map<string, Set<string>>();

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * A number for the place, which a scan of this share reached from the number `from`. That one can be gone on from again, for
   * a client that lost its answer; the one before it cannot any more, so that a long scan takes no more room than a short one.
   */
  add(place: ScanPlace, from: string | undefined, share: string): string {
    const before = from === undefined ? undefined : this.#places.get(from)?.from;
    if (before !== undefined) this.#forget(before);
    const number = String(1 + (Number.parseInt(this.#random.hex(6), 16) % (numberMax - 1)));
    this.#forget(number);
    this.#places.set(number, { ...place, from, share });
    const numbers = this.#shares.get(share) ?? new Set();
    this.#shares.set(share, numbers.add(number));
    if (this.#places.size > cursorsMax) this.#forgetOldestOf(this.#largestShare());
    return number;
  }

  get(number: string): ScanPlace | undefined {
    return this.#places.get(number);
  }

  #largestShare(): ReadonlySet<string> {
    let largest: ReadonlySet<string> = new Set();
    for (const numbers of this.#shares.values()) if (numbers.size > largest.size) largest = numbers;
    return largest;
  }

  #forgetOldestOf(numbers: ReadonlySet<string>): void {
    const [oldest] = numbers;
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(number: string): void {
    const share = this.#places.get(number)?.share;
    if (share === undefined) return;
    this.#places.delete(number);
    const numbers = this.#shares.get(share);
    numbers?.delete(number);
    if (numbers?.size === 0) this.#shares.delete(share);
  }
}
