export interface Finding {
  /** A sentence that is true where it held. */
  readonly claim: string;
  readonly held: boolean;
}

/** What the demo set out to show, and whether it was seen. */
export class Findings {
  readonly #all: Finding[] = [];

  add(claim: string, held: boolean): Finding {
    const finding = { claim, held };
    this.#all.push(finding);
    return finding;
  }

  get failed(): readonly Finding[] {
    return this.#all.filter(({ held }) => !held);
  }

  get count(): number {
    return this.#all.length;
  }
}
