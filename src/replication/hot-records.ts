import { mapKey, type RecordKey } from '../model/key.ts';
import type { Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import type { Store } from '../store/store.ts';
import { type Cached, MemoryCache } from './memory-cache.ts';
import { SeenLately } from './seen-lately.ts';

/*
 * The records of a store that are read again and again, in memory in front of it. The ledger keeps them true: whatever
 * changes a record passes its commit queue, and what a commit changed is changed here in the same turn as the state that
 * speaks of it. What is here was on disk before, so nothing leaves that is not synced (rule R1).
 *
 *     read k            not here: the disk is asked
 *     commit k = 2      published while the disk is still reading
 *     the disk: k = 1   goes to its reader, who asked before, and is not kept: it was overtaken
 *
 * Half of the memory takes whatever is read. The other half is for what is read a second time (the doorkeeper of TinyLFU):
 * a scan of all would put out what is hot, and each of its records that comes and goes is work for the collector of garbage.
 */

/** Bytes: a larger value is read from disk each time. What it costs is the sending, and ten of them would be all there is. */
const valueBytesMax = 64 * 1024;

/** Bytes of memory for each name that is known to have been read, about what a record takes there. */
const bytesPerName = 1024;

/** A store's hot records, its known absences among them. */
export class HotRecords {
  readonly #store: Pick<Store, 'read' | 'readNow'>;
  readonly #memory: MemoryCache<Cached>;
  /** Looks at the disk that nothing has overtaken: what they find may be kept, and others may wait for it too. */
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

  /** What the disk says on the spot of what is not in memory; then it is. Undefined where it must be awaited. */
  look(key: RecordKey): Cached | undefined {
    // Nothing comes between the look and its keeping, so nothing overtakes it.
    const found = this.#store.readNow?.(key);
    if (found === undefined || this.#keepsNone) return found;
    const name = mapKey(key.namespace, key.key);
    if (this.#isWorthKeeping(name)) this.#keep(name, found.record);
    return found;
  }

  /** From memory or from disk; then it is in memory. @throws as `Store.read` */
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

  /** A commit put a record in the place of whatever was held. */
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

  /** A commit took away whatever was held. */
  remove(name: string): void {
    this.#overtake(name);
    this.#memory.delete(name);
  }

  /** What is on disk may be something else from now on: the store is being opened again (rule R2). */
  clear(): void {
    if (!holds('hot: nothing outlives its store')) return;
    this.#reading.clear();
    this.#memory.clear();
  }

  #overtake(name: string): void {
    if (holds('hot: what was overtaken is not kept')) this.#reading.delete(name);
  }

  /** True where nothing has overtaken it. */
  #ends(name: string, reading: Promise<Record | undefined>): boolean {
    return this.#reading.get(name) === reading && this.#reading.delete(name);
  }
}
