import type { ClassicLevel } from 'classic-level';
import { MeridianError } from '../model/errors.ts';
import type { RecordKey } from '../model/key.ts';
import type { OriginId } from '../model/position.ts';
import type { Head, Record } from '../model/record.ts';
import {
  behindPrefix,
  endedThrough,
  endOf,
  logRow,
  originOfLog,
  recordKeyOfEnded,
  recordKeyOfRecord,
  recordRow,
  startOf,
  valueRow,
} from './level-keys.ts';
import { decodeStored, headIn } from './record-codec.ts';
import type { RecordRange, Snapshot, Stored } from './store.ts';

export type Database = ClassicLevel<Buffer, Buffer>;
type View = ReturnType<Database['snapshot']>;

/** Bytes of one row of a large value. */
export const chunkBytes = 256 * 1024;
const pageRecords = 256;
const pageBytes = 256 * 1024;

export class LevelSnapshot implements Snapshot {
  readonly #database: Database;
  readonly #view: View;
  #closing: Promise<void> | undefined;

  constructor(database: Database) {
    this.#database = database;
    this.#view = database.snapshot();
  }

  async read(key: RecordKey): Promise<Record | undefined> {
    const row = this.#database.getSync(recordRow(key), { snapshot: this.#view });
    return row === undefined ? undefined : this.#complete(decodeStored(key, row));
  }

  async *records(range: RecordRange): AsyncGenerator<readonly Stored[]> {
    const { namespace, prefix = '', after, pageRecordsMax = pageRecords } = range;
    const begin = namespace === undefined ? startOf('record') : recordRow({ namespace, key: prefix });
    const behind = namespace === undefined ? endOf('record') : (behindPrefix(begin) ?? endOf('record'));
    const afterRow = after === undefined ? undefined : recordRow(after);
    const from = afterRow !== undefined && Buffer.compare(afterRow, begin) >= 0 ? { gt: afterRow } : { gte: begin };
    for await (const rows of this.#pages({ ...from, lt: behind }, pageRecordsMax)) {
      yield rows.map(([row, value]) => decodeStored(recordKeyOfRecord(row), value));
    }
  }

  async *log(origin: OriginId, fromSequence: number): AsyncGenerator<readonly Stored[]> {
    const first = logRow({ origin, sequence: fromSequence });
    const lt = behindPrefix(first.subarray(0, 9)) ?? endOf('log');
    for await (const rows of this.#pages({ gte: first, lt }, pageRecords)) {
      let page: Stored[] = [];
      let bytes = 0;
      for (const [, recordRowOf] of rows) {
        const row = this.#database.getSync(recordRowOf, { snapshot: this.#view });
        if (row === undefined)
          throw new MeridianError('DATA_LOSS', 'the log names a record that is not there', { reason: 'bad-log' });
        page.push(decodeStored(recordKeyOfRecord(recordRowOf), row));
        bytes += row.length;
        if (bytes < pageBytes) continue;
        yield page;
        page = [];
        bytes = 0;
      }
      if (page.length > 0) yield page;
    }
  }

  async *ended(kind: 'live' | 'tombstone', throughSeconds: number): AsyncGenerator<readonly Head[]> {
    const range = { gte: startOf(kind), lt: endedThrough(kind, throughSeconds) };
    for await (const rows of this.#pages(range, pageRecords)) {
      const heads: Head[] = [];
      for (const [row] of rows) {
        const key = recordKeyOfEnded(row);
        const record = this.#database.getSync(recordRow(key), { snapshot: this.#view });
        if (record !== undefined) heads.push(headIn(decodeStored(key, record)));
      }
      yield heads;
    }
  }

  async logOrigins(): Promise<readonly OriginId[]> {
    const origins: OriginId[] = [];
    let gte: Buffer | undefined = startOf('log');
    while (gte !== undefined) {
      const [row]: Buffer[] = await this.#database
        .keys({ gte, lt: endOf('log'), limit: 1, snapshot: this.#view })
        .all();
      if (row === undefined) break;
      origins.push(originOfLog(row));
      gte = behindPrefix(row.subarray(0, 9));
    }
    return origins;
  }

  close(): Promise<void> {
    this.#closing ??= this.#view.close();
    return this.#closing;
  }

  async #complete(stored: Stored): Promise<Record> {
    if (stored.kind === 'tombstone') return stored;
    const { valueBytes, value, ...rest } = stored;
    if (value !== undefined) return { ...rest, value };
    const whole = Buffer.allocUnsafe(valueBytes);
    let at = 0;
    for (let chunk = 0; at < valueBytes; chunk++) {
      // One chunk after another, off the main thread, so that a large value holds nobody up.
      const part = await this.#database.get(valueRow(stored, stored.stamp, chunk), { snapshot: this.#view });
      if (part === undefined) {
        throw new MeridianError('DATA_LOSS', `the value of key ${stored.key} is incomplete`, { reason: 'bad-value' });
      }
      at += part.copy(whole, at);
    }
    return { ...rest, value: whole };
  }

  async *#pages(
    range: { gte?: Buffer; gt?: Buffer; lt: Buffer },
    records: number,
  ): AsyncGenerator<ReadonlyArray<[Buffer, Buffer]>> {
    const iterator = this.#database.iterator({ ...range, snapshot: this.#view, highWaterMarkBytes: pageBytes });
    try {
      for (;;) {
        const rows = await iterator.nextv(records);
        if (rows.length === 0) return;
        yield rows as Array<[Buffer, Buffer]>;
      }
    } finally {
      await iterator.close();
    }
  }
}
