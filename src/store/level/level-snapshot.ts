import type { Snapshot as LevelView } from 'classic-level';
import type { RecordKey } from '../../model/key.ts';
import { isAt, type LogId, type Position } from '../../model/position.ts';
import type { Head, Record } from '../../model/record.ts';
import { readAhead } from '../../runtime/read-ahead.ts';
import type { KnownDamage } from '../integrity/known-damage.ts';
import { damagedRecord, isDamaged, parseRow, type Row } from '../record-row.ts';
import type { Damaged, OnDamaged, RecordRange, Snapshot, Stored } from '../store.ts';
import { closed, damaged } from '../store-errors.ts';
import type { Database } from './level-database.ts';
import { storeError } from './level-errors.ts';
import {
  endedBounds,
  endedKey,
  endedKeySkip,
  type KeyBounds,
  logBounds,
  parseLogKey,
  parseRecordKey,
  recordBounds,
  tableBounds,
} from './level-keys.ts';
import { readRecord, readRows } from './level-reader.ts';

const pageRecordsDefault = 256;
const pageBytesMax = 256 * 1024;
/** Rows hold up to about 5 KiB: this many stay near `pageBytesMax`, as a page of an index cannot know their sizes. */
const indexPageRecordsMax = 64;

type Entry = [string, Buffer];

interface Indexed {
  readonly entry: Entry;
  readonly key: RecordKey;
  readonly row: Row | Damaged | undefined;
}

/** A LevelDB snapshot: it sees one state of all tables, whatever is committed meanwhile. */
export class LevelSnapshot implements Snapshot {
  readonly #database: Database;
  readonly #snapshot: LevelView;
  readonly #damage: KnownDamage;
  #closed = false;

  constructor(database: Database, damage: KnownDamage) {
    this.#database = database;
    this.#snapshot = database.snapshot();
    this.#damage = damage;
  }

  async read(key: RecordKey): Promise<Record | undefined> {
    const look = () => readRecord(this.#database, key, { snapshot: this.#snapshot });
    const record = await this.#guard(() => this.#damage.noting(key, look));
    if (record === undefined) return this.#damage.checkAbsence(key);
    if (record === 'overwritten') {
      this.#damage.note({ namespace: key.namespace, key: key.key });
      throw damaged(`the value of ${JSON.stringify(key.key)} is missing`);
    }
    return record;
  }

  async *records(range: RecordRange, onDamaged?: OnDamaged): AsyncGenerator<readonly Stored[]> {
    const pages = this.#pages(recordBounds(range), range.pageRecordsMax ?? pageRecordsDefault);
    for await (const page of readAhead(pages)) {
      const rows = page.map(([name, row]) => parseRow(parseRecordKey(name, 1), row));
      const sound = this.#sound(rows, onDamaged).map(storedOf);
      if (sound.length > 0) yield sound;
    }
  }

  async *log(log: LogId, fromSequence: number, onDamaged?: OnDamaged): AsyncGenerator<readonly Stored[]> {
    const pages = this.#indexed(logBounds(log, fromSequence), ([, value]) => parseRecordKey(value.toString(), 0));
    for await (const page of readAhead(pages)) {
      const rows = page.flatMap(({ entry: [name], key, row }) => loggedAt(parseLogKey(name), key, row));
      const sound = this.#sound(rows, onDamaged).map(storedOf);
      if (sound.length > 0) yield sound;
    }
  }

  async *ended(kind: Head['kind'], throughSeconds: number): AsyncGenerator<readonly Head[]> {
    if (throughSeconds < 0) return;
    const bounds = endedBounds(kind, Math.floor(throughSeconds));
    for await (const page of this.#indexed(bounds, ([name]) => parseRecordKey(name, endedKeySkip))) {
      // Skips what damage left behind: an entry of a record that is lost, or of one that was written again.
      const heads = page.flatMap(({ entry: [name], row }) =>
        row === undefined || isDamaged(row) || endedKey(row.head) !== name ? [] : [row.head],
      );
      if (heads.length > 0) yield heads;
    }
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

  /** The entries of an index, each with the row that it names. Without damage the row is always there. */
  async *#indexed(bounds: KeyBounds, keyOf: (entry: Entry) => RecordKey): AsyncGenerator<Indexed[], void> {
    for await (const entries of this.#pages(bounds, indexPageRecordsMax)) {
      const keys = entries.map(keyOf);
      const rows = await this.#guard(() => readRows(this.#database, keys, { snapshot: this.#snapshot }));
      yield entries.map((entry, index) => ({ entry, key: keys[index] ?? keyOf(entry), row: rows[index] }));
    }
  }

  /** The rows that can be read; damaged ones are reported or, without `onDamaged`, thrown. */
  #sound(rows: ReadonlyArray<Row | Damaged>, onDamaged: OnDamaged | undefined): readonly Row[] {
    if (!rows.some(isDamaged)) return rows as readonly Row[];
    return rows.filter((row): row is Row => {
      if (!isDamaged(row)) return true;
      this.#damage.note(row);
      if (onDamaged === undefined) throw damagedRecord(row);
      onDamaged(row);
      return false;
    });
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

  /** Refuses once closed, and puts LevelDB's errors into the store's words. */
  async #guard<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    try {
      return await run();
    } catch (error) {
      throw storeError(error);
    }
  }
}

/**
 * What an entry of the log stands for. If the row is at another position, the entry was left behind when a damaged
 * record was overwritten. But if that row is the older one, the newer record is lost.
 */
function loggedAt(
  position: Position,
  { namespace, key }: RecordKey,
  row: Row | Damaged | undefined,
): Array<Row | Damaged> {
  const found = row === undefined || isDamaged(row) ? row?.position : row.head.position;
  if (row === undefined || found === undefined) return [{ namespace, key, position }];
  if (isAt(found, position)) return [row];
  return found.log === position.log && found.sequence < position.sequence ? [{ namespace, key, position }] : [];
}

/** Adds the value to the head itself, which is used nowhere else yet: a copy would cost as much as the decoding. */
function storedOf(row: Row): Stored {
  const stored: Stored & { value?: Uint8Array } = row.head;
  if ('checksum' in row && row.value !== undefined) stored.value = row.value;
  return stored;
}
