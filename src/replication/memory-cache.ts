import type { Record } from '../model/record.ts';

/** What a cache keeps of one key; undefined = it is known that there is no record. */
export interface Cached {
  readonly record: Record | undefined;
}

interface Slot<Entry> {
  readonly name: string;
  readonly entry: Entry;
  readonly bytes: number;
  /** Looked at since it was set, or since it was last spared. */
  used: boolean;
  older: Slot<Entry> | undefined;
  newer: Slot<Entry> | undefined;
}

/**
 * About the bytes an entry costs besides key, value and metadata: objects, texts, buffer (measured on a full cache).
 */
const overheadBytes = 850;
/** Used entries that one eviction spares, at the most: a million used ones would hold up the process. */
const sparedMax = 64;

/**
 * Entries by map key, in memory. When the bytes are used up, the oldest entry that was not used lately is dropped: a
 * use sets a mark, and a marked entry that is about to go is spared once and loses its mark (the CLOCK algorithm). So a
 * hit moves nothing.
 *
 * A linked list tells which entry is the oldest. A Map has the same order, but to find its first entry it walks over
 * all deleted ones: with half a million of those, each new entry costs milliseconds.
 */
export class MemoryCache<Entry extends Cached> {
  readonly #slots = new Map<string, Slot<Entry>>();
  readonly #bytesMax: number;
  readonly #evicted: (entries: number) => void;
  #bytes = 0;
  #oldest: Slot<Entry> | undefined;
  #newest: Slot<Entry> | undefined;

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
    const slot: Slot<Entry> = { name, entry, bytes, used: false, older: undefined, newer: undefined };
    this.#slots.set(name, slot);
    this.#append(slot);
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) this.#evict(slot);
  }

  delete(name: string): void {
    const slot = this.#slots.get(name);
    if (slot !== undefined) this.#remove(slot);
  }

  clear(): void {
    this.#slots.clear();
    this.#oldest = undefined;
    this.#newest = undefined;
    this.#bytes = 0;
  }

  #evict(newest: Slot<Entry>): void {
    let evicted = 0;
    let spared = 0;
    while (this.#bytes > this.#bytesMax && this.#oldest !== undefined) {
      const slot = this.#oldest;
      if (slot === newest || (slot.used && spared++ < sparedMax)) {
        slot.used = false;
        this.#unchain(slot);
        this.#append(slot);
      } else {
        this.#remove(slot);
        evicted++;
      }
    }
    this.#evicted(evicted);
  }

  #remove(slot: Slot<Entry>): void {
    this.#slots.delete(slot.name);
    this.#unchain(slot);
    this.#bytes -= slot.bytes;
  }

  #append(slot: Slot<Entry>): void {
    slot.older = this.#newest;
    slot.newer = undefined;
    if (this.#newest === undefined) this.#oldest = slot;
    else this.#newest.newer = slot;
    this.#newest = slot;
  }

  #unchain({ older, newer }: Slot<Entry>): void {
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
  }
}

/** About how many bytes of memory a record costs under this name. */
export function bytesOf(name: string, record: Record | undefined): number {
  const value = record?.kind === 'live' ? record.value.byteLength + (record.metadata?.length ?? 0) : 0;
  return overheadBytes + name.length + value;
}
