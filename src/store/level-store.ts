import { mkdir } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import { MeridianError } from '../model/errors.ts';
import type { RecordKey } from '../model/key.ts';
import { type Head, headOf, type Record } from '../model/record.ts';
import { endedRow, logRow, metaRow, recordRow, valueRow } from './level-keys.ts';
import { chunkBytes, type Database, LevelSnapshot } from './level-snapshot.ts';
import { decodeStored, encodeRecord, headIn, inlineBytesMax } from './record-codec.ts';
import { type CommitBatch, endedAtSeconds, type Snapshot, type Store } from './store.ts';

export interface LevelStoreOptions {
  /** Bytes of blocks kept in memory. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** Bytes of writes gathered in memory before LevelDB sorts them to a file. Default 16 MiB. */
  readonly writeBufferBytes?: number;
}

/** Raised when rows change their form. A store of a later version is not opened. */
const formatVersion = 1;
const formatName = 'format';

type Operation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer };

/**
 * The store on LevelDB, in one directory that one process holds.
 * @throws UNAVAILABLE (`store-locked`) where another process holds it; DATA_LOSS where it is damaged or of a later version
 */
export async function openLevelStore(directory: string, options: LevelStoreOptions = {}): Promise<Store> {
  await mkdir(directory, { recursive: true });
  const store = new LevelStore(directory, options);
  await store.open();
  return store;
}

class LevelStore implements Store {
  readonly #directory: string;
  readonly #options: LevelStoreOptions;
  #database: Database;
  #failed = false;

  constructor(directory: string, options: LevelStoreOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#database = this.#make();
  }

  async open(): Promise<void> {
    try {
      await this.#database.open();
    } catch (error) {
      throw openingFailed(this.#directory, error);
    }
    try {
      await this.#checkFormat();
    } catch (error) {
      await this.#database.close();
      throw error;
    }
  }

  async heads(keys: readonly RecordKey[]): Promise<ReadonlyArray<Head | undefined>> {
    this.#check();
    return keys.map((key) => {
      const row = this.#database.getSync(recordRow(key));
      return row === undefined ? undefined : headIn(decodeStored(key, row));
    });
  }

  async read(key: RecordKey): Promise<Record | undefined> {
    this.#check();
    const row = this.#database.getSync(recordRow(key));
    if (row === undefined) return undefined;
    const stored = decodeStored(key, row);
    if (stored.kind === 'tombstone') return stored;
    const { valueBytes: _valueBytes, value, ...rest } = stored;
    if (value !== undefined) return { ...rest, value };
    // A large value's chunks are read one by one: under one snapshot, so that none is of another version.
    const snapshot = this.snapshot();
    try {
      return await snapshot.read(key);
    } finally {
      await snapshot.close();
    }
  }

  async meta(name: string): Promise<Uint8Array | undefined> {
    this.#check();
    return this.#database.getSync(metaRow(name));
  }

  async commit({ puts, removals, meta, sync }: CommitBatch): Promise<void> {
    this.#check();
    const operations: Operation[] = [];
    for (const { record, held } of puts) {
      if (held !== undefined) forget(held, operations);
      write(record, operations);
    }
    for (const head of removals) {
      forget(head, operations);
      operations.push({ type: 'del', key: recordRow(head) });
    }
    for (const [name, value] of meta) {
      const key = metaRow(name);
      operations.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value: asBuffer(value) });
    }
    try {
      await this.#database.batch(operations, { sync });
    } catch (cause) {
      this.#failed = true;
      throw new MeridianError('INTERNAL', 'a commit failed; the store must be opened again', {
        reason: 'commit',
        cause,
      });
    }
  }

  snapshot(): Snapshot {
    this.#check();
    return new LevelSnapshot(this.#database);
  }

  async reopen(): Promise<void> {
    await this.#database.close();
    this.#database = this.#make();
    await this.open();
    this.#failed = false;
  }

  async erase(): Promise<void> {
    this.#check();
    // The format goes first: whoever opens a store without one finishes what was begun here.
    await this.#database.batch([{ type: 'del', key: metaRow(formatName) }], { sync: true });
    await this.#database.clear();
    await this.#writeFormat();
  }

  async approximateBytes(): Promise<number> {
    this.#check();
    return this.#database.approximateSize(Buffer.from([0]), Buffer.from([0xff]));
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  #make(): Database {
    const { cacheBytes = 64 * 1024 * 1024, writeBufferBytes = 16 * 1024 * 1024 } = this.#options;
    return new ClassicLevel<Buffer, Buffer>(this.#directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: cacheBytes,
      writeBufferSize: writeBufferBytes,
    });
  }

  #check(): void {
    if (this.#failed) {
      throw new MeridianError('UNAVAILABLE', 'the store failed and was not opened again yet', {
        reason: 'store-failed',
      });
    }
  }

  async #checkFormat(): Promise<void> {
    const row = this.#database.getSync(metaRow(formatName));
    if (row === undefined) return this.#eraseRemains();
    const version = Number(row.toString());
    if (version === formatVersion) return;
    throw new MeridianError(
      'DATA_LOSS',
      `the store in ${this.#directory} has format ${version}; this version of Meridian reads format ${formatVersion}`,
      { reason: 'store-format', limit: formatVersion, seen: version },
    );
  }

  /** New, or erased half-way: named state went first. */
  async #eraseRemains(): Promise<void> {
    await this.#database.clear();
    await this.#writeFormat();
  }

  #writeFormat(): Promise<void> {
    const operation: Operation = { type: 'put', key: metaRow(formatName), value: Buffer.from(String(formatVersion)) };
    return this.#database.batch([operation], { sync: true });
  }
}

/** Takes away what the indexes and the large values hold of a record. */
function forget(held: Head, operations: Operation[]): void {
  operations.push({ type: 'del', key: logRow(held.position) });
  const ended = endedAtSeconds(held);
  if (ended !== undefined) operations.push({ type: 'del', key: endedRow(held.kind, ended, held) });
  if (held.kind === 'tombstone' || held.valueBytes <= inlineBytesMax) return;
  for (let chunk = 0; chunk * chunkBytes < held.valueBytes; chunk++) {
    operations.push({ type: 'del', key: valueRow(held, held.stamp, chunk) });
  }
}

function write(record: Record, operations: Operation[]): void {
  const key = recordRow(record);
  operations.push({ type: 'put', key, value: encodeRecord(record) });
  // What nobody wrote (a cached absence) has no place in a log.
  if (record.position.sequence > 0) operations.push({ type: 'put', key: logRow(record.position), value: key });
  const ended = endedAtSeconds(headOf(record));
  if (ended !== undefined) {
    operations.push({ type: 'put', key: endedRow(record.kind, ended, record), value: Buffer.alloc(0) });
  }
  if (record.kind === 'tombstone' || record.value.byteLength <= inlineBytesMax) return;
  const value = asBuffer(record.value);
  for (let chunk = 0; chunk * chunkBytes < value.length; chunk++) {
    const part = value.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
    operations.push({ type: 'put', key: valueRow(record, record.stamp, chunk), value: part });
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function openingFailed(directory: string, error: unknown): MeridianError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = (cause as { code?: string }).code;
  if (code === 'LEVEL_LOCKED') {
    return new MeridianError('UNAVAILABLE', `another process holds the store in ${directory}`, {
      reason: 'store-locked',
      cause: error,
    });
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  return new MeridianError('DATA_LOSS', `the store in ${directory} cannot be opened: ${message}`, {
    reason: 'store-damaged',
    cause: error,
  });
}
