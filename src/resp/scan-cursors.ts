import type { Random } from '../runtime/random.ts';
import { rememberLatest } from '../runtime/remember-latest.ts';

/** Scans that can be gone on with; of more, the one that was begun first is forgotten. */
const cursorsMax = 4096;
/** Bits that every client can hold in a number. */
const numberMax = 2 ** 48;

export interface ScanPlace {
  readonly namespace: string;
  readonly prefix: string;
  /** Of a list of the namespace and prefix. */
  readonly cursor: string;
}

/**
 * Redis' cursors are numbers, and those of our lists are texts that hold a key. So a number stands for a text here, for
 * all connections of a node, since clients go on with a scan on any connection of their pool.
 */
export class ScanCursors {
  readonly #random: Random;
  /** The oldest first. */
  readonly #places = new Map<string, ScanPlace & { readonly from: string | undefined }>();

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * A number for the place, which a scan reached from the number `from`. That one can be gone on from again, for a client
   * that lost its answer; the one before it cannot any more, so that a long scan takes no more room than a short one.
   */
  add(place: ScanPlace, from: string | undefined): string {
    const before = from === undefined ? undefined : this.#places.get(from)?.from;
    if (before !== undefined) this.#places.delete(before);
    const number = String(1 + (Number.parseInt(this.#random.hex(6), 16) % (numberMax - 1)));
    rememberLatest(this.#places, number, { ...place, from }, cursorsMax);
    return number;
  }

  get(number: string): ScanPlace | undefined {
    return this.#places.get(number);
  }
}
