/** Work of which one run serves all who ask for the same key meanwhile (groupcache's singleflight). */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  get size(): number {
    return this.#flights.size;
  }

  /** Joins the flight of that key, or starts one. `joined` says which. */
  run(key: string, start: () => Promise<T>): { readonly result: Promise<T>; readonly joined: boolean } {
    const flying = this.#flights.get(key);
    if (flying !== undefined) return { result: flying, joined: true };
    const result = start().finally(() => this.#flights.delete(key));
    this.#flights.set(key, result);
    return { result, joined: false };
  }
}
