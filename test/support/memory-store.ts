import { MeridianError } from '../../src/model/errors.ts';
import { compareRecordKeys, mapKey, type RecordKey } from '../../src/model/key.ts';
import { type NamespaceId, registryNamespace } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import { type Head, headOf, type Record } from '../../src/model/record.ts';
import { holds } from '../../src/model/rules.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import {
  type CommitBatch,
  type Damaged,
  endedAtSeconds,
  type OnDamaged,
  type ReadNow,
  type RecordRange,
  type Snapshot,
  type Store,
  type StoreCondition,
  type Stored,
} from '../../src/store/store.ts';

export interface Contents {
  readonly records: ReadonlyMap<string, Record>;
  /** Those of them that cannot be read. */
  readonly damaged: ReadonlySet<string>;
  readonly meta: ReadonlyMap<string, Uint8Array>;
}

const empty: Contents = { records: new Map(), damaged: new Set(), meta: new Map() };
const pageBytesMax = 256 * 1024;
const valueBesideBytesMax = 4096;

/** What outlives a process: a store that is opened over the same disk again finds what was synced, or closed well. */
export class MemoryDisk {
  synced: Contents = empty;
  /** What a process that runs over the disk sees, synced or not. */
  visible: Contents = empty;
  /** What becomes of the next commit: it fails, and its batch is lost or is on the disk all the same (rule R2). */
  nextCommitFails: 'lost' | 'kept' | undefined;
  /** Puts of values are refused, as on a disk without room; deletions go on. */
  full = false;
  /** A disk that lies: it says synced and is not. */
  ignoresSync = false;
  /** Told of each batch that reached the disk, before whoever committed it learns of that. */
  onSynced: (records: readonly Record[]) => void = () => {};
  /** Told when the store over it has erased all that it held. */
  onErased: () => void = () => {};
  /** Views that are open over it now. */
  snapshotsOpen = 0;
  #store: MemoryStore | undefined;

  /** @param wait how long a sync takes; resolves when it is over */
  open(wait: () => Promise<void> = async () => {}): MemoryStore {
    this.#store = new MemoryStore(this, wait);
    return this.#store;
  }

  /** Damages the record of that key, held or not, for the stores that are opened from now on. */
  damage(key: RecordKey): void {
    this.synced = withDamage(this.synced, key);
    this.visible = withDamage(this.visible, key);
  }

  /** Damages it under the store that is open as well. */
  damageNow(key: RecordKey): void {
    this.damage(key);
    this.#store?.damage(key);
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

  async heads(keys: readonly RecordKey[], onDamaged?: OnDamaged): Promise<ReadonlyArray<Head | undefined>> {
    await this.#usable();
    return keys.map(({ namespace, key }) => {
      const record = this.#contents.records.get(mapKey(namespace, key));
      if (record === undefined) return undefined;
      return isSound(this.#contents, record, onDamaged) ? headOf(record) : undefined;
    });
  }

  async read({ namespace, key }: RecordKey): Promise<Record | undefined> {
    await this.#usable();
    return soundRecord(this.#contents, namespace, key);
  }

  readNow({ namespace, key }: RecordKey): ReadNow | undefined {
    if (this.#state !== 'open' || this.#contents.damaged.size > 0) return undefined;
    return { record: this.#contents.records.get(mapKey(namespace, key)) };
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
    if (
      this.#disk.full &&
      batch.puts.some(({ record }) => record.kind === 'live' && record.namespace !== registryNamespace)
    ) {
      throw new MeridianError('RESOURCE_EXHAUSTED', 'the disk is full', { reason: 'disk-full', retryAfterMs: 1000 });
    }
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
    this.#disk.onErased();
  }

  /** Memory is given back at once. */
  async reclaim(): Promise<void> {
    await this.#usable();
  }

  damaged(): readonly Damaged[] {
    return [...this.#contents.damaged].flatMap((name) => {
      const record = this.#contents.records.get(name);
      if (record === undefined) return [];
      const { namespace, key, position } = record;
      return [{ namespace, key, position }];
    });
  }

  condition(): StoreCondition {
    const { damaged } = this.#contents;
    return { damagedRecords: damaged.size, absenceUncertain: false, full: this.#disk.full, acceptedLoss: 0 };
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

  /** For `MemoryDisk`: what is damaged from now on. */
  damage(key: RecordKey): void {
    this.#contents = withDamage(this.#contents, key);
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
    return soundRecord(this.#contents, namespace, key);
  }

  records(
    { namespace, prefix = '', after, pageRecordsMax = 256 }: RecordRange,
    onDamaged?: OnDamaged,
  ): AsyncIterable<readonly Stored[]> {
    const inside = (record: Record) =>
      (namespace === undefined || (record.namespace === namespace && record.key.startsWith(prefix))) &&
      (after === undefined || compareRecordKeys(record, after) > 0);
    return this.#pages(() => this.#where(inside).sort(compareRecordKeys), storedOf, {
      recordsMax: pageRecordsMax,
      onDamaged,
    });
  }

  log(log: LogId, fromSequence: number, onDamaged?: OnDamaged): AsyncIterable<readonly Stored[]> {
    const inside = ({ position }: Record) => position.log === log && position.sequence >= fromSequence;
    return this.#pages(() => this.#where(inside).sort((a, b) => a.position.sequence - b.position.sequence), storedOf, {
      onDamaged,
    });
  }

  ended(kind: 'live' | 'tombstone', throughSeconds: number): AsyncIterable<readonly Head[]> {
    const endOf = (record: Record) =>
      (record.kind === 'live' ? record.expiresAt : endedAtSeconds(record)) ?? Number.POSITIVE_INFINITY;
    return this.#pages(
      () =>
        this.#where((record) => record.kind === kind && endOf(record) <= throughSeconds).sort(
          (a, b) => endOf(a) - endOf(b) || compareRecordKeys(a, b),
        ),
      headOf,
      { onDamaged: () => {} },
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

  async *#pages<T extends Head | Stored>(
    all: () => Record[],
    asT: (record: Record) => T,
    { recordsMax = 256, onDamaged }: { readonly recordsMax?: number; readonly onDamaged: OnDamaged | undefined },
  ): AsyncGenerator<readonly T[]> {
    this.#check();
    let page: T[] = [];
    let bytes = 0;
    for (const record of all()) {
      if (!isSound(this.#contents, record, onDamaged)) continue;
      const head = asT(record);
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

function applied({ records, damaged, meta }: Contents, batch: CommitBatch): Contents {
  const nextRecords = new Map(records);
  const nextMeta = new Map(meta);
  const nextDamaged = new Set(damaged);
  for (const { namespace, key } of [...batch.removals, ...(batch.discards ?? [])]) {
    nextRecords.delete(mapKey(namespace, key));
    nextDamaged.delete(mapKey(namespace, key));
  }
  for (const { namespace, key, position } of batch.lost ?? []) {
    nextRecords.set(mapKey(namespace, key), { kind: 'tombstone', namespace, key, stamp: bottomStamp, position });
    nextDamaged.add(mapKey(namespace, key));
  }
  for (const { record } of batch.puts) {
    nextRecords.set(mapKey(record.namespace, record.key), record);
    nextDamaged.delete(mapKey(record.namespace, record.key));
  }
  for (const [name, value] of batch.meta) {
    if (value === undefined) nextMeta.delete(name);
    else nextMeta.set(name, value);
  }
  return { records: nextRecords, damaged: nextDamaged, meta: nextMeta };
}

function withDamage(contents: Contents, { namespace, key }: RecordKey): Contents {
  return { ...contents, damaged: new Set([...contents.damaged, mapKey(namespace, key)]) };
}

/** Tells of a damaged one, or throws where nobody listens. */
function isSound({ damaged }: Contents, record: Record, onDamaged: OnDamaged | undefined): boolean {
  const { namespace, key, position } = record;
  if (!damaged.has(mapKey(namespace, key))) return true;
  if (onDamaged === undefined) throw new MeridianError('DATA_LOSS', `${key} is damaged`, { reason: 'store-damaged' });
  onDamaged({ namespace, key, position });
  return false;
}

function soundRecord(contents: Contents, namespace: NamespaceId, key: string): Record | undefined {
  const record = contents.records.get(mapKey(namespace, key));
  if (record !== undefined) isSound(contents, record, undefined);
  return record;
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
