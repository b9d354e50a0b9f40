/**
 * Counts records by their places among all, so that those of any beginning can be told: batches end in any order, and
 * whoever goes on behind a place meets again what lies behind it.
 */
export class PlacedCount {
  #settled: number;
  /** Of those behind the beginning that was asked for last. */
  #places: number[] = [];

  constructor(settled = 0) {
    this.#settled = settled;
  }

  get total(): number {
    return this.#settled + this.#places.length;
  }

  add(place: number): void {
    this.#places.push(place);
  }

  /** Of the leading records, as many as these; never fewer than were asked for before. */
  upTo(records: number): number {
    const behind = this.#places.filter((place) => place > records);
    this.#settled += this.#places.length - behind.length;
    this.#places = behind;
    return this.#settled;
  }
}
