/** One of the most frequent names. Its true count is `count` at the most, and `count - error` at the least. */
export interface Frequent {
  readonly name: string;
  readonly count: number;
  readonly error: number;
}

interface Counter {
  count: number;
  error: number;
}

/**
 * The most frequent names of a stream in a bounded number of counters (Space-Saving; Metwally, Agrawal and El Abbadi,
 * 2005). A name without a counter takes over the smallest one, and its count as the error:
 *
 *     two counters      a: 5, b: 2     c comes: b's counter becomes c's     a: 5, c: 3 (2 of them may be others')
 *
 * Of N counted in k counters no error is above N / k, and every name that came more often than that has a counter.
 */
export class SpaceSaving {
  readonly #countersMax: number;
  readonly #counters = new Map<string, Counter>();

  constructor(countersMax: number) {
    this.#countersMax = countersMax;
  }

  add(name: string, weight: number): void {
    const counter = this.#counters.get(name);
    if (counter !== undefined) {
      counter.count += weight;
      return;
    }
    if (this.#counters.size < this.#countersMax) {
      this.#counters.set(name, { count: weight, error: 0 });
      return;
    }
    const [smallest, { count }] = this.#smallest();
    this.#counters.delete(smallest);
    this.#counters.set(name, { count: count + weight, error: count });
  }

  /** How often a name without a counter may have come at most. */
  get uncountedMax(): number {
    return this.#counters.size < this.#countersMax ? 0 : this.#smallest()[1].count;
  }

  get(name: string): Frequent | undefined {
    const counter = this.#counters.get(name);
    return counter && { name, ...counter };
  }

  names(): Iterable<string> {
    return this.#counters.keys();
  }

  #smallest(): readonly [string, Counter] {
    let found: readonly [string, Counter] = ['', { count: Number.POSITIVE_INFINITY, error: 0 }];
    for (const entry of this.#counters) if (entry[1].count < found[1].count) found = entry;
    return found;
  }
}
