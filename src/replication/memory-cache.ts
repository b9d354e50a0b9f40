import type { Record } from '../model/record.ts';

/** What a cache keeps of one key; undefined = it is known that there is no record. */
export interface Cached {
  readonly record: Record | undefined;
}

interface Slot<Entry> {
  readonly entry: Entry;
  readonly bytes: number;
  /** Looked at since it was set, or since it was last spared. */
  used: boolean;
}

/** Bytes that an entry costs besides its key, value and metadata, about. */
const overheadBytes = 250;
/** Used entries that one eviction spares, at the most: a cache of a million used ones would hold up the process. */
const sparedMax = 64;

/**
 * Entries by map key, in memory. When the bytes are used up, the oldest goes that was not used of late: a use sets a
 * mark, and a marked entry that is about to go is spared once and loses its mark (the CLOCK algorithm). So a hit moves
 * nothing.
 */
export class MemoryCache<Entry extends Cached> {
  readonly #slots = new Map<string, Slot<Entry>>();
  readonly #bytesMax: number;
  readonly #evicted: (entries: number) => void;
  #bytes = 0;

  constructor(bytesMax: number, evicted: (entries: number) => void) {
    this.#bytesMax = bytesMax;
    this.#evicted = evicted;
  }

  get size(): number {
    return this.#slots.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Without counting as a use. */
  has(name: string): boolean {
    return this.#slots.has(name);
  }

  /** Without counting as a use. */
  peek(name: string): Entry | undefined {
    return this.#slots.get(name)?.entry;
  }

  get(name: string): Entry | undefined {
    const slot = this.#slots.get(name);
    if (slot === undefined) return undefined;
    slot.used = true;
    return slot.entry;
  }

  set(name: string, entry: Entry): void {
    this.delete(name);
    const bytes = bytesOf(name, entry.record);
    if (bytes > this.#bytesMax) return;
    this.#slots.set(name, { entry, bytes, used: false });
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) this.#evict(name);
  }

  delete(name: string): void {
    const slot = this.#slots.get(name);
    if (slot === undefined) return;
    this.#slots.delete(name);
    this.#bytes -= slot.bytes;
  }

  clear(): void {
    this.#slots.clear();
    this.#bytes = 0;
  }

  #evict(newest: string): void {
    let evicted = 0;
    let spared = 0;
    for (const [name, slot] of this.#slots) {
      if (this.#bytes <= this.#bytesMax) break;
      const isSpared = name === newest || (slot.used && spared++ < sparedMax);
      this.#slots.delete(name);
      if (isSpared) {
        slot.used = false;
        this.#slots.set(name, slot);
      } else {
        this.#bytes -= slot.bytes;
        evicted++;
      }
    }
    this.#evicted(evicted);
  }
}

/** Bytes of memory that a record costs under this name, about. */
export function bytesOf(name: string, record: Record | undefined): number {
  const value = record?.kind === 'live' ? record.value.byteLength + (record.metadata?.length ?? 0) : 0;
  return overheadBytes + name.length + value;
}
