import type { LostRecords, Step } from '../model/feed.ts';
import type { Record } from '../model/record.ts';

/** One commit as followers see it. */
export interface RingEntry {
  readonly records: readonly Record[];
  /** Unset = none. */
  readonly lost?: LostRecords;
  readonly step: Step;
  /** Wall time of the commit. */
  readonly committedAtMs: number;
}

export interface RingBounds {
  readonly ringCommitsMax: number;
  /** Bytes of values, keys and metadata. */
  readonly ringBytesMax: number;
}

/** Slots that an empty ring has; it doubles as it fills, up to its bound. */
const slotsMin = 64;

/**
 * The newest commits of a node, shared by all its followers. A place is the number of the next commit to read, and stands
 * in the slot of that number modulo the slots, so that a commit costs the same however many are kept:
 *
 *     commits   …  41  42  43  44 │      base = 41, end = 45
 *     a follower at place 45 is live and waits; one at 43 reads on; one at 40 has fallen out and goes back to a scan.
 */
export class Ring {
  readonly #bounds: RingBounds;
  #slots: Array<RingEntry | undefined> = new Array<RingEntry | undefined>(slotsMin);
  #bytes = 0;
  #base = 0;
  #end = 0;
  #waiting = new Set<() => void>();

  constructor(bounds: RingBounds) {
    this.#bounds = bounds;
  }

  /** The place behind the newest commit. */
  get end(): number {
    return this.#end;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(entry: RingEntry): void {
    if (this.#end - this.#base === this.#slots.length) this.#grow();
    this.#slots[this.#end % this.#slots.length] = entry;
    this.#end++;
    this.#bytes += entryBytes(entry);
    const { ringCommitsMax, ringBytesMax } = this.#bounds;
    while (this.#base < this.#end && (this.#end - this.#base > ringCommitsMax || this.#bytes > ringBytesMax)) {
      this.#dropOldest();
    }
    this.#wake();
  }

  /** Sends every follower back to a scan (rule R2), those at the end too. */
  clear(): void {
    while (this.#base < this.#end) this.#dropOldest();
    this.#end++;
    this.#base = this.#end;
    this.#wake();
  }

  has(place: number): boolean {
    return place >= this.#base;
  }

  at(place: number): RingEntry | undefined {
    return place >= this.#base && place < this.#end ? this.#slots[place % this.#slots.length] : undefined;
  }

  /** Calls `run` once when something is appended or the ring is cleared. Returns a function that cancels this. */
  onceChanged(run: () => void): () => void {
    this.#waiting.add(run);
    return () => this.#waiting.delete(run);
  }

  #dropOldest(): void {
    const slot = this.#base % this.#slots.length;
    const oldest = this.#slots[slot];
    if (oldest !== undefined) this.#bytes -= entryBytes(oldest);
    this.#slots[slot] = undefined;
    this.#base++;
  }

  /** Moves each commit to its slot among twice as many. */
  #grow(): void {
    const before = this.#slots;
    this.#slots = new Array<RingEntry | undefined>(before.length * 2);
    for (let place = this.#base; place < this.#end; place++) {
      this.#slots[place % this.#slots.length] = before[place % before.length];
    }
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
  for (const { key } of entry.lost?.records ?? []) bytes += 128 + key.length;
  return bytes;
}
