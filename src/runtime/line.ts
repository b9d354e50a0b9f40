/** Items in the order in which they came, which leave from the front, many at once: those that stay are seldom moved. */
export class Line<T> {
  #items: Array<T | undefined> = [];
  /** Before it stand items that have left. */
  #front = 0;

  get length(): number {
    return this.#items.length - this.#front;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The one with so many before it. */
  at(index: number): T | undefined {
    return this.#items[this.#front + index];
  }

  /** Those of which that is not true leave, wherever they stand. */
  keep(stays: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#front).filter((item) => item !== undefined && stays(item));
    this.#front = 0;
  }

  /** The first so many leave; `count` is at most the length. */
  drop(count: number): void {
    this.#items.fill(undefined, this.#front, this.#front + count); // Nothing is kept for having stood here.
    this.#front += count;
    // Each item is moved as often as one before it has left: once, on average.
    if (2 * this.#front < this.#items.length) return;
    this.#items = this.#items.slice(this.#front);
    this.#front = 0;
  }
}
