import type { Step } from '../model/feed.ts';
import type { Record } from '../model/record.ts';

/** One commit as followers see it. */
export interface RingEntry {
  readonly records: readonly Record[];
  readonly step: Step;
  /** Wall time of the commit. */
  readonly committedAtMs: number;
}

export interface RingBounds {
  readonly ringCommitsMax: number;
  /** Bytes of values, keys and metadata. */
  readonly ringBytesMax: number;
}

/**
 * The newest commits of a node, shared by all its followers. A place is the number of the next commit to read:
 *
 *     commits   …  41  42  43  44 │      base = 41, end = 45
 *     a follower at place 45 is live and waits; one at 43 reads on; one at 40 has fallen out and goes back to a scan.
 */
export class Ring {
  readonly #bounds: RingBounds;
  #entries: RingEntry[] = [];
  #bytes = 0;
  #base = 0;
  #waiting = new Set<() => void>();

  constructor(bounds: RingBounds) {
    this.#bounds = bounds;
  }

  /** The place behind the newest commit. */
  get end(): number {
    return this.#base + this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(entry: RingEntry): void {
    this.#entries.push(entry);
    this.#bytes += entryBytes(entry);
    let dropped = 0;
    while (this.#entries.length - dropped > this.#bounds.ringCommitsMax || this.#bytes > this.#bounds.ringBytesMax) {
      const oldest = this.#entries[dropped];
      if (oldest === undefined) break;
      this.#bytes -= entryBytes(oldest);
      dropped++;
    }
    if (dropped > 0) this.#entries = this.#entries.slice(dropped);
    this.#base += dropped;
    this.#wake();
  }

  /** Everyone goes back to a scan (rule R2). */
  clear(): void {
    this.#base = this.end + 1;
    this.#entries = [];
    this.#bytes = 0;
    this.#wake();
  }

  has(place: number): boolean {
    return place >= this.#base;
  }

  at(place: number): RingEntry | undefined {
    return this.#entries[place - this.#base];
  }

  /** Calls once when something was appended or the ring was cleared. Returns how to take that back. */
  onceChanged(run: () => void): () => void {
    this.#waiting.add(run);
    return () => this.#waiting.delete(run);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const run of waiting) run();
  }
}

function entryBytes(entry: RingEntry): number {
  let bytes = 64;
  for (const record of entry.records) {
    bytes += 128 + record.key.length;
    if (record.kind === 'live') bytes += record.value.byteLength + (record.metadata?.length ?? 0);
  }
  return bytes;
}
