import type { Snapshot as LevelView } from 'classic-level';
import type { RecordKey } from '../../model/key.ts';
import type { LogId } from '../../model/position.ts';
import type { Head, Record } from '../../model/record.ts';
import type { RecordRange, Snapshot, Stored } from '../store.ts';
import type { Database } from './level-database.ts';
import { closed, damaged, storeError } from './level-errors.ts';
import {
  endedBounds,
  endedKeySkip,
  type KeyBounds,
  logBounds,
  parseLogKey,
  parseRecordKey,
  recordBounds,
  tableBounds,
} from './level-keys.ts';
import { readRecord, readRows } from './level-reader.ts';
import { decodeRow, type Row } from './level-row.ts';
import { readAhead } from './read-ahead.ts';

const pageRecordsDefault = 256;
const pageBytesMax = 256 * 1024;
/** Rows hold up to about 5 KiB: so many stay near `pageBytesMax`, as a page of an index cannot know their sizes. */
const indexPageRecordsMax = 64;

type Entry = [string, Buffer];

/** A LevelDB snapshot: it sees one state of all tables, whatever is committed meanwhile. */
export class LevelSnapshot implements Snapshot {
  readonly #database: Database;
  readonly #snapshot: LevelView;
  #closed = false;

  constructor(database: Database) {
    this.#database = database;
    this.#snapshot = database.snapshot();
  }

  async read(key: RecordKey): Promise<Record | undefined> {
    const record = await this.#guard(() => readRecord(this.#database, key, { snapshot: this.#snapshot }));
    if (record === 'overwritten') throw damaged(`the value of ${JSON.stringify(key.key)} is missing`);
    return record;
  }

  async *records(range: RecordRange): AsyncGenerator<readonly Stored[]> {
    const pages = this.#pages(recordBounds(range), range.pageRecordsMax ?? pageRecordsDefault);
    for await (const page of readAhead(pages)) {
      yield page.map(([name, row]) => storedOf(decodeRow(parseRecordKey(name, 1), row)));
    }
  }

  async *log(log: LogId, fromSequence: number): AsyncGenerator<readonly Stored[]> {
    const rows = this.#indexed(logBounds(log, fromSequence), ([, value]) => parseRecordKey(value.toString(), 0));
    for await (const page of readAhead(rows)) {
      yield page.map(([[name], row]) => {
        if (row.head.position.sequence !== parseLogKey(name).sequence) throw damaged(`log entry ${name}`);
        return storedOf(row);
      });
    }
  }

  async *ended(kind: Head['kind'], throughSeconds: number): AsyncGenerator<readonly Head[]> {
    if (throughSeconds < 0) return;
    const bounds = endedBounds(kind, Math.floor(throughSeconds));
    const rows = this.#indexed(bounds, ([name]) => parseRecordKey(name, endedKeySkip));
    for await (const page of rows) yield page.map(([, row]) => row.head);
  }

  async logs(): Promise<readonly LogId[]> {
    const logs: LogId[] = [];
    let bounds = tableBounds('l');
    for (;;) {
      const [name] = await this.#guard(() =>
        this.#database.keys({ ...bounds, limit: 1, snapshot: this.#snapshot }).all(),
      );
      if (name === undefined) return logs;
      const { log } = parseLogKey(name);
      logs.push(log);
      bounds = { gte: logBounds(log, 0).lt, lt: bounds.lt };
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#snapshot.close();
  }

  /** The entries of an index, each with the row of the record that it names, and that is there therefore. */
  async *#indexed(bounds: KeyBounds, keyOf: (entry: Entry) => RecordKey): AsyncGenerator<Array<[Entry, Row]>, void> {
    for await (const entries of this.#pages(bounds, indexPageRecordsMax)) {
      const keys = entries.map(keyOf);
      const rows = await this.#guard(() => readRows(this.#database, keys, { snapshot: this.#snapshot }));
      yield entries.map((entry, index) => {
        const row = rows[index];
        if (row === undefined) throw damaged(`the entry ${entry[0]} of an index names a record that is not there`);
        return [entry, row];
      });
    }
  }

  async *#pages(bounds: KeyBounds, pageRecordsMax: number): AsyncGenerator<Entry[], void> {
    const iterator = await this.#guard(async () =>
      this.#database.iterator({ ...bounds, snapshot: this.#snapshot, highWaterMarkBytes: pageBytesMax }),
    );
    try {
      for (;;) {
        const page = await this.#guard(() => iterator.nextv(pageRecordsMax));
        if (page.length === 0) return;
        yield page;
      }
    } finally {
      await iterator.close();
    }
  }

  /** Refuses once closed, and says what LevelDB says in the store's words. */
  async #guard<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    try {
      return await run();
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** Adds the value to the head itself, which nobody else has yet: a copy would cost as much as the decoding. */
function storedOf(row: Row): Stored {
  const stored: Stored & { value?: Uint8Array } = row.head;
  if ('checksum' in row && row.value !== undefined) stored.value = row.value;
  return stored;
}
