import { mapKey, type RecordKey } from '../model/key.ts';
import type { Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import type { Store } from '../store/store.ts';
import { type Cached, MemoryCache } from './memory-cache.ts';
import { SeenLately } from './seen-lately.ts';

/*
 * The records of a store that are read again and again, in memory in front of it. The ledger keeps them true: every
 * change of a record passes its commit queue, and a commit changes the records here in the same turn as the state that
 * speaks of them. Each record here was on disk before, so nothing leaves that is not synced (rule R1).
 *
 *     read k            not here: the disk is asked
 *     commit k = 2      published while the disk is still reading
 *     the disk: k = 1   goes to its reader, who asked before, and is not kept: it was overtaken
 *
 * Half of the memory takes whatever is read. The other half takes what is read a second time (the doorkeeper of
 * TinyLFU): otherwise a scan of everything would push out what is hot, and each of its records would be garbage to
 * collect.
 */

/** Bytes: a larger value is read from disk each time. Sending is its main cost, and ten would fill the memory. */
const valueBytesMax = 64 * 1024;

/** Bytes of memory for each name that is known to have been read: about what a record takes there. */
const bytesPerName = 1024;

/** The hot records of a store, known absences included. */
export class HotRecords {
  readonly #store: Pick<Store, 'read' | 'readNow'>;
  readonly #memory: MemoryCache<Cached>;
  /** Reads of the disk that no commit has overtaken: their results may be kept, and other readers may share them. */
  readonly #reading = new Map<string, Promise<Record | undefined>>();
  readonly #keepsNone: boolean;
  readonly #bytesForAll: number;
  readonly #readLately: SeenLately;

  /** `bytesMax` 0 keeps none. */
  constructor(store: Pick<Store, 'read' | 'readNow'>, bytesMax: number) {
    this.#store = store;
    this.#memory = new MemoryCache(bytesMax, () => {});
    this.#keepsNone = bytesMax === 0;
    this.#bytesForAll = bytesMax / 2;
    this.#readLately = new SeenLately(bytesMax / bytesPerName);
  }

  get bytes(): number {
    return this.#memory.bytes;
  }

  /** What is in memory: a record, or that there is none. Undefined where the disk must be asked. */
  peek(key: RecordKey): Cached | undefined {
    return this.#keepsNone ? undefined : this.#memory.get(mapKey(key.namespace, key.key));
  }

  /** What the disk says at once of a key that is not in memory; it is then kept. Undefined where it must be awaited. */
  look(key: RecordKey): Cached | undefined {
    // Nothing happens between the read and the keeping, so no commit overtakes it.
    const found = this.#store.readNow?.(key);
    if (found === undefined || this.#keepsNone) return found;
    const name = mapKey(key.namespace, key.key);
    if (this.#isWorthKeeping(name)) this.#keep(name, found.record);
    return found;
  }

  /** From memory, or from disk, and then kept in memory. @throws as `Store.read` */
  read(key: RecordKey): Promise<Record | undefined> {
    if (this.#keepsNone) return this.#store.read(key);
    const name = mapKey(key.namespace, key.key);
    const hot = this.#memory.get(name);
    if (hot !== undefined) return Promise.resolve(hot.record);
    const underWay = this.#reading.get(name);
    if (underWay !== undefined) return underWay;
    const reading = this.#store.read(key).then(
      (record) => {
        if (this.#ends(name, reading) && this.#isWorthKeeping(name)) this.#keep(name, record);
        return record;
      },
      (error: unknown) => {
        this.#ends(name, reading);
        throw error;
      },
    );
    this.#reading.set(name, reading);
    return reading;
  }

  /** A commit replaced whatever was held with this record. */
  put(name: string, record: Record): void {
    this.#overtake(name);
    if (this.#memory.has(name) && holds('hot: a commit replaces')) this.#keep(name, record);
  }

  #isWorthKeeping(name: string): boolean {
    return this.#memory.bytes <= this.#bytesForAll || this.#readLately.note(name);
  }

  #keep(name: string, record: Record | undefined): void {
    if (record?.kind === 'live' && record.value.byteLength > valueBytesMax) this.#memory.delete(name);
    else this.#memory.set(name, { record });
  }

  /** A commit removed whatever was held. */
  remove(name: string): void {
    this.#overtake(name);
    this.#memory.delete(name);
  }

  /** The disk may hold something else from now on: the store is being opened again (rule R2). */
  clear(): void {
    if (!holds('hot: nothing outlives its store')) return;
    this.#reading.clear();
    this.#memory.clear();
  }

  #overtake(name: string): void {
    if (holds('hot: what was overtaken is not kept')) this.#reading.delete(name);
  }

  /** True if no commit has overtaken this read. */
  #ends(name: string, reading: Promise<Record | undefined>): boolean {
    return this.#reading.get(name) === reading && this.#reading.delete(name);
  }
}
