/** Values of one label that get a series of their own; what comes beyond so many is `other`. */
export class BoundedLabel {
  readonly #valuesMax: number;
  readonly #values = new Set<string>();

  constructor(valuesMax: number) {
    this.#valuesMax = valuesMax;
  }

  of(value: string): string {
    if (this.#values.size < this.#valuesMax) this.#values.add(value);
    return this.#values.has(value) ? value : 'other';
  }
}

/** Reasons are a closed set here, but one may come from a node of another version. */
export const reasonsMax = 100;
