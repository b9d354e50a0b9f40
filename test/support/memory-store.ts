import { MeridianError } from '../../src/model/errors.ts';
import { compareRecordKeys, mapKey, type RecordKey } from '../../src/model/key.ts';
import type { LogId } from '../../src/model/position.ts';
import { type Head, headOf, type Record } from '../../src/model/record.ts';
import { holds } from '../../src/model/rules.ts';
import {
  type CommitBatch,
  endedAtSeconds,
  type RecordRange,
  type Snapshot,
  type Store,
  type Stored,
} from '../../src/store/store.ts';

export interface Contents {
  readonly records: ReadonlyMap<string, Record>;
  readonly meta: ReadonlyMap<string, Uint8Array>;
}

const empty: Contents = { records: new Map(), meta: new Map() };
const pageBytesMax = 256 * 1024;
const valueBesideBytesMax = 4096;

/** What outlives a process: a store that is opened over the same disk again finds what was synced, or closed well. */
export class MemoryDisk {
  synced: Contents = empty;
  /** What a process that runs over the disk sees, synced or not. */
  visible: Contents = empty;
  /** What becomes of the next commit: it fails, and its batch is lost or is on the disk all the same (rule R2). */
  nextCommitFails: 'lost' | 'kept' | undefined;
  /** A disk that lies: it says synced and is not. */
  ignoresSync = false;
  /** Told of each batch that reached the disk, before whoever committed it learns of that. */
  onSynced: (records: readonly Record[]) => void = () => {};
  /** Views that are open over it now. */
  snapshotsOpen = 0;

  /** @param wait how long a sync takes; resolves when it is over */
  open(wait: () => Promise<void> = async () => {}): MemoryStore {
    return new MemoryStore(this, wait);
  }

  wipe(): void {
    this.synced = empty;
    this.visible = empty;
  }
}

/** A store for some dozens of keys, with a modelled fsync: what was not synced is gone after a crash. */
export class MemoryStore implements Store {
  readonly #disk: MemoryDisk;
  readonly #wait: () => Promise<void>;
  #contents: Contents;
  #state: 'open' | 'failed' | 'closed' | 'crashed' = 'open';
  readonly #snapshots = new Set<MemorySnapshot>();
  #commits: Promise<void> = Promise.resolve();
  /** Committed and not synced yet: a later sync takes it along. */
  #unsynced: Record[] = [];

  constructor(disk: MemoryDisk, wait: () => Promise<void>) {
    this.#disk = disk;
    this.#wait = wait;
    this.#contents = disk.synced;
    disk.visible = disk.synced;
  }

  async heads(keys: readonly RecordKey[]): Promise<ReadonlyArray<Head | undefined>> {
    await this.#usable();
    return keys.map(({ namespace, key }) => {
      const record = this.#contents.records.get(mapKey(namespace, key));
      return record === undefined ? undefined : headOf(record);
    });
  }

  async read({ namespace, key }: RecordKey): Promise<Record | undefined> {
    await this.#usable();
    return this.#contents.records.get(mapKey(namespace, key));
  }

  async meta(name: string): Promise<Uint8Array | undefined> {
    await this.#usable();
    return this.#contents.meta.get(name);
  }

  async metaNames(): Promise<readonly string[]> {
    await this.#usable();
    return [...this.#contents.meta.keys()].sort();
  }

  commit(batch: CommitBatch): Promise<void> {
    const committed = this.#commits.then(() => this.#commit(batch));
    this.#commits = committed.catch(() => {});
    return committed;
  }

  async #commit(batch: CommitBatch): Promise<void> {
    await this.#usable();
    const outcome = this.#disk.nextCommitFails;
    this.#disk.nextCommitFails = undefined;
    if (outcome !== undefined) {
      this.#state = 'failed';
      if (outcome === 'kept') this.#synced(applied(this.#contents, batch), batch);
      throw new MeridianError('INTERNAL', 'the disk failed', { reason: 'disk' });
    }
    if (batch.sync) await this.#wait();
    if (this.#state === 'crashed') await new Promise(() => {});
    this.#contents = applied(this.#contents, batch);
    this.#disk.visible = this.#contents;
    if (batch.sync && !this.#disk.ignoresSync) this.#synced(this.#contents, batch);
    else for (const { record } of batch.puts) this.#unsynced.push(record);
    if (!holds('R3 one batch')) this.#disk.synced = { ...this.#disk.synced, meta: this.#contents.meta };
  }

  #synced(contents: Contents, batch: Pick<CommitBatch, 'puts'>): void {
    this.#disk.synced = contents;
    this.#disk.onSynced([...this.#unsynced, ...batch.puts.map(({ record }) => record)]);
    this.#unsynced = [];
  }

  snapshot(): Snapshot {
    if (this.#state === 'closed') throw closedError();
    const snapshot: MemorySnapshot = new MemorySnapshot(this.#contents, () => {
      if (this.#snapshots.delete(snapshot)) this.#disk.snapshotsOpen--;
    });
    if (this.#state !== 'crashed') {
      this.#snapshots.add(snapshot);
      this.#disk.snapshotsOpen++;
    }
    return snapshot;
  }

  async reopen(): Promise<void> {
    if (this.#state === 'closed') throw closedError();
    if (this.#state === 'crashed') await new Promise(() => {});
    this.#contents = this.#disk.synced;
    this.#disk.visible = this.#contents;
    this.#unsynced = [];
    this.#state = 'open';
  }

  async erase(): Promise<void> {
    await this.#usable();
    this.#contents = empty;
    this.#disk.wipe();
  }

  /** Memory is given back at once. */
  async reclaim(): Promise<void> {
    await this.#usable();
  }

  async approximateBytes(): Promise<number> {
    let bytes = 0;
    for (const record of this.#contents.records.values()) bytes += sizeOf(record);
    return bytes;
  }

  async close(): Promise<void> {
    if (this.#state !== 'crashed') await this.#commits;
    if (this.#state === 'open') this.#synced(this.#contents, { puts: [] });
    if (this.#state !== 'crashed') this.#state = 'closed';
    for (const snapshot of [...this.#snapshots]) await snapshot.close();
  }

  /**
   * The process is gone: whatever it still calls never comes back. What it had not synced is lost with the power, and
   * on the disk all the same where the process alone died.
   */
  crash(how: 'process' | 'power' = 'power'): void {
    if (how === 'process' && this.#state === 'open' && !this.#disk.ignoresSync)
      this.#synced(this.#contents, { puts: [] });
    this.#state = 'crashed';
    this.#disk.snapshotsOpen -= this.#snapshots.size;
    this.#snapshots.clear();
  }

  /** True once its process is gone. */
  get crashed(): boolean {
    return this.#state === 'crashed';
  }

  async #usable(): Promise<void> {
    if (this.#state === 'crashed') await new Promise(() => {});
    if (this.#state === 'closed') throw closedError();
    if (this.#state === 'failed') throw new MeridianError('INTERNAL', 'reopen the store', { reason: 'disk' });
  }
}

class MemorySnapshot implements Snapshot {
  readonly #contents: Contents;
  readonly #ended: () => void;
  #closed = false;

  constructor(contents: Contents, ended: () => void) {
    this.#contents = contents;
    this.#ended = ended;
  }

  async read({ namespace, key }: RecordKey): Promise<Record | undefined> {
    this.#check();
    return this.#contents.records.get(mapKey(namespace, key));
  }

  records({ namespace, prefix = '', after, pageRecordsMax = 256 }: RecordRange): AsyncIterable<readonly Stored[]> {
    const inside = (record: Record) =>
      (namespace === undefined || (record.namespace === namespace && record.key.startsWith(prefix))) &&
      (after === undefined || compareRecordKeys(record, after) > 0);
    return this.#pages(() => this.#where(inside).sort(compareRecordKeys).map(storedOf), pageRecordsMax);
  }

  log(log: LogId, fromSequence: number): AsyncIterable<readonly Stored[]> {
    const inside = ({ position }: Record) => position.log === log && position.sequence >= fromSequence;
    return this.#pages(() =>
      this.#where(inside)
        .sort((a, b) => a.position.sequence - b.position.sequence)
        .map(storedOf),
    );
  }

  ended(kind: 'live' | 'tombstone', throughSeconds: number): AsyncIterable<readonly Head[]> {
    const endOf = (record: Record) =>
      (record.kind === 'live' ? record.expiresAt : endedAtSeconds(record)) ?? Number.POSITIVE_INFINITY;
    return this.#pages(() =>
      this.#where((record) => record.kind === kind && endOf(record) <= throughSeconds)
        .sort((a, b) => endOf(a) - endOf(b) || compareRecordKeys(a, b))
        .map(headOf),
    );
  }

  async logs(): Promise<readonly LogId[]> {
    this.#check();
    return [...new Set(this.#where(() => true).map(({ position }) => position.log))].sort();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ended();
  }

  #where(inside: (record: Record) => boolean): Record[] {
    return [...this.#contents.records.values()].filter(inside);
  }

  async *#pages<T extends Head | Stored>(all: () => T[], recordsMax = 256): AsyncGenerator<readonly T[]> {
    this.#check();
    let page: T[] = [];
    let bytes = 0;
    for (const head of all()) {
      page.push(head);
      bytes += 64 + (head.kind === 'live' ? head.valueBytes : 0);
      if (page.length < recordsMax && bytes < pageBytesMax) continue;
      yield page;
      this.#check();
      page = [];
      bytes = 0;
    }
    if (page.length > 0) yield page;
    this.#check();
  }

  #check(): void {
    if (this.#closed) throw closedError();
  }
}

function applied({ records, meta }: Contents, batch: CommitBatch): Contents {
  const nextRecords = new Map(records);
  const nextMeta = new Map(meta);
  for (const { namespace, key } of batch.removals) nextRecords.delete(mapKey(namespace, key));
  for (const { record } of batch.puts) nextRecords.set(mapKey(record.namespace, record.key), record);
  for (const [name, value] of batch.meta) {
    if (value === undefined) nextMeta.delete(name);
    else nextMeta.set(name, value);
  }
  return { records: nextRecords, meta: nextMeta };
}

function storedOf(record: Record): Stored {
  if (record.kind === 'tombstone') return record;
  const { value, ...head } = record;
  const stored = { ...head, valueBytes: value.byteLength };
  return value.byteLength > valueBesideBytesMax ? stored : { ...stored, value };
}

function sizeOf(record: Record): number {
  return 64 + Buffer.byteLength(record.key) + (record.kind === 'live' ? record.value.byteLength : 0);
}

function closedError(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the store is closed', { reason: 'closed' });
}
