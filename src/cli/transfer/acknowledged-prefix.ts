/** Batches end in any order; only an unbroken beginning counts. */
export class AcknowledgedPrefix {
  /** Leading records of which each is acknowledged. */
  records: number;
  readonly #advanced: (records: number) => Promise<void>;
  readonly #failed: (error: unknown) => void;
  /** Ends of the batches sent and not yet counted, in order, each with whether it is acknowledged. */
  readonly #open: Array<{ readonly end: number; acknowledged: boolean }> = [];
  #told: number;
  #telling: Promise<void> | undefined;

  /** `advanced` is told how far it came, one telling at a time; where that fails, `failed` is. */
  constructor(records: number, advanced: (records: number) => Promise<void>, failed: (error: unknown) => void) {
    this.records = records;
    this.#told = records;
    this.#advanced = advanced;
    this.#failed = failed;
  }

  sent(end: number): void {
    this.#open.push({ end, acknowledged: false });
  }

  acknowledge(end: number): void {
    const batch = this.#open.find((open) => open.end === end);
    if (batch !== undefined) batch.acknowledged = true;
    while (this.#open[0]?.acknowledged) this.records = this.#open.shift()?.end ?? this.records;
    if (this.#told < this.records) this.#telling ??= this.#tell();
  }

  /** Resolves when `advanced` knows all. */
  async told(): Promise<void> {
    await this.#telling;
  }

  /** What grows meanwhile is told at once at its end, not batch by batch: nobody waits for it. */
  async #tell(): Promise<void> {
    try {
      while (this.#told < this.records) {
        this.#told = this.records;
        await this.#advanced(this.#told);
      }
    } catch (error) {
      this.#failed(error);
    }
    this.#telling = undefined;
  }
}
