import type { LogId } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import type { Stamp } from '../model/stamp.ts';

export interface CacheEntry {
  readonly record: Record;
  /** The feed has named a later stamp, without its value. */
  readonly superseded?: { readonly by: Stamp; readonly proven: Proven | undefined };
}

/** Until when something was known to be so: what the root origin had by this monotonic time. */
export interface Proven {
  readonly asOfMs: number;
  readonly root: LogId;
}

/** Bytes that an entry costs besides its key, value and metadata, about. */
const overheadBytes = 250;

/** Entries by map key, the least recently used going first when the bytes are used up. */
export class MemoryCache {
  readonly #entries = new Map<string, CacheEntry>();
  readonly #bytesMax: number;
  readonly #evicted: (entries: number) => void;
  #bytes = 0;

  constructor(bytesMax: number, evicted: (entries: number) => void) {
    this.#bytesMax = bytesMax;
    this.#evicted = evicted;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Without counting as a use. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Without counting as a use. */
  peek(name: string): CacheEntry | undefined {
    return this.#entries.get(name);
  }

  get(name: string): CacheEntry | undefined {
    const entry = this.peek(name);
    if (entry === undefined) return undefined;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry;
  }

  set(name: string, entry: CacheEntry): void {
    this.delete(name);
    const bytes = bytesOf(name, entry.record);
    if (bytes > this.#bytesMax) return;
    this.#entries.set(name, entry);
    this.#bytes += bytes;
    let evicted = 0;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.delete(oldest);
      evicted++;
    }
    if (evicted > 0) this.#evicted(evicted);
  }

  delete(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#bytes -= bytesOf(name, entry.record);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}

/** Bytes of memory that a record costs under this name, about. */
export function bytesOf(name: string, record: Record): number {
  const value = record.kind === 'live' ? record.value.byteLength + (record.metadata?.length ?? 0) : 0;
  return overheadBytes + name.length + value;
}
