import { MeridianError } from '../../model/errors.ts';
import type { RecordKey } from '../../model/key.ts';
import type { LogId } from '../../model/position.ts';
import type { Head, Record } from '../../model/record.ts';
import { readAhead } from '../../runtime/read-ahead.ts';
import type { KnownDamage } from '../integrity/known-damage.ts';
import { damagedRecord, isDamaged } from '../record-row.ts';
import {
  type Damaged,
  endedAtSeconds,
  type OnDamaged,
  type RecordRange,
  type Snapshot,
  type Stored,
} from '../store.ts';
import { closed } from '../store-errors.ts';
import { namespaceBytesOf, recordKeyOf } from './packing.ts';
import {
  type Ask,
  headColumns,
  pageColumns,
  parsedRow,
  readRecord,
  type StoreRows,
  storedOf,
} from './record-reader.ts';
import { kinds } from './schema.ts';
import { bytesOf, numberOf, type SqlRow, type SqlValue } from './sql-client.ts';

const pageRecordsDefault = 256;
/** Rows of one statement: with their heads and small values, up to about 2 MiB. */
const fetchedMax = 512;
const pageBytesMax = 256 * 1024;

/** A view that is being taken, and how it is given back. */
export interface View {
  /** Resolves once it is taken. Rejects if it cannot be. */
  readonly begun: Promise<Ask>;
  /** Valid once it is taken: records that were there when it was asked for may be missing. */
  isOvertaken(): boolean;
  end(): Promise<void>;
}

/**
 * One transaction that sees one state. The database takes it a moment after it was asked for; later commits wait for
 * that (postgres-database.ts). Pages are read by keyset: each statement is short, and no cursor is held.
 */
export class PostgresSnapshot implements Snapshot {
  readonly #view: View;
  readonly #rows: StoreRows;
  readonly #damage: KnownDamage;
  #closed: MeridianError | undefined;

  constructor(view: View, rows: StoreRows, damage: KnownDamage) {
    this.#view = view;
    this.#rows = rows;
    this.#damage = damage;
    view.begun.catch(() => {}); // The first read reports it.
  }

  read(key: RecordKey): Promise<Record | undefined> {
    return this.#damage.noting(key, async () => readRecord(await this.#asking(), this.#rows, key));
  }

  async *records(range: RecordRange, onDamaged?: OnDamaged): AsyncGenerator<readonly Stored[]> {
    const { namespace, prefix = '', after } = range;
    const first = { namespace: namespace ?? '', key: prefix };
    const pageRecordsMax = range.pageRecordsMax ?? pageRecordsDefault;
    const isBehind = after !== undefined && (namespace === undefined || isFrom(after, first));
    if (after !== undefined && namespace !== undefined && after.namespace > namespace) return;
    const begin: Cursor = isBehind ? { ...after, past: true } : { ...first, past: false };
    const fetch = (cursor: Cursor) => this.#fetchRecords(range, cursor, Math.min(fetchedMax, pageRecordsMax));
    const pages = this.#pages(begin, fetch, pageRecordsMax);
    for await (const page of readAhead(pages)) {
      const sound = this.#sound(page.map(storedOf), onDamaged);
      if (sound.length > 0) yield sound;
    }
  }

  async *log(log: LogId, fromSequence: number, onDamaged?: OnDamaged): AsyncGenerator<readonly Stored[]> {
    const { schema, store } = this.#rows;
    const text =
      `SELECT ${pageColumns}, sequence FROM ${schema}.record WHERE store = $1 AND log = $2 AND sequence > $3::int8 ` +
      `ORDER BY sequence LIMIT ${fetchedMax}`;
    await this.#checkLogs();
    const fetch = async (after: number) => {
      const rows = await this.#ask(`log ${fetchedMax}`, text, [store, Buffer.from(log, 'hex'), after]);
      return { rows, next: numberOf(rows.at(-1)?.[3]) };
    };
    const pages = this.#pages(fromSequence - 1, fetch, pageRecordsDefault);
    for await (const page of readAhead(pages)) {
      const sound = this.#sound(page.map(storedOf), onDamaged);
      if (sound.length > 0) yield sound;
    }
  }

  async *ended(kind: Head['kind'], throughSeconds: number): AsyncGenerator<readonly Head[]> {
    if (throughSeconds < 0) return;
    const { schema, store } = this.#rows;
    const through = Math.min(Math.floor(throughSeconds), Number.MAX_SAFE_INTEGER);
    const text =
      `SELECT ${headColumns}, NULL::bytea, ended FROM ${schema}.record WHERE store = $1 AND kind = $2::int2 ` +
      'AND ended <= $3::int8 AND (ended, namespace, key) > ($4::int8, $5::bytea, $6::bytea) ' +
      `ORDER BY ended, namespace, key LIMIT ${fetchedMax}`;
    const fetch = async (after: SqlValue[]) => {
      const rows = await this.#ask('ended', text, [store, kinds[kind], through, ...after]);
      const last = rows.at(-1);
      const next = [last?.[6] ?? null, bytesOf(last?.[0]), bytesOf(last?.[1])];
      return { rows, next };
    };
    const begin: SqlValue[] = [-1, Buffer.alloc(0), Buffer.alloc(0)];
    for await (const page of this.#pages(begin, fetch, pageRecordsDefault)) {
      const heads = page.map(parsedRow).flatMap((row) => (isDamaged(row) ? [] : [row.head]));
      const sound = heads.filter((head) => head.kind === kind && endedAtSeconds(head) !== undefined);
      if (sound.length > 0) yield sound;
    }
  }

  async logs(): Promise<readonly LogId[]> {
    const { schema, store } = this.#rows;
    await this.#checkLogs();
    const logs: LogId[] = [];
    // One step in the index for each log, however many records it has.
    const text = `SELECT log FROM ${schema}.record WHERE store = $1 AND log > $2 ORDER BY log LIMIT 1`;
    for (let last: Buffer = Buffer.alloc(0); ; ) {
      const [row] = await this.#ask('logs', text, [store, last]);
      if (row === undefined) return logs;
      last = bytesOf(row[0]);
      logs.push(last.toString('hex') as LogId);
    }
  }

  async close(): Promise<void> {
    await this.fail(closed());
  }

  /** Ends the snapshot: further reads fail with this. Idempotent: the first reason counts. */
  async fail(why: MeridianError): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    await this.#view.end();
  }

  /** The database may not keep any longer what it shows. */
  async expire(): Promise<void> {
    const message = 'this snapshot is too old: the database keeps what it shows for so long only';
    await this.fail(new MeridianError('UNAVAILABLE', message, { reason: 'snapshot-expired', retryAfterMs: 100 }));
  }

  async #fetchRecords(
    { namespace, prefix = '' }: RecordRange,
    { namespace: from, key, past }: Cursor,
    limit: number,
  ): Promise<{ readonly rows: readonly SqlRow[]; readonly next: Cursor }> {
    const { schema, store } = this.#rows;
    const compare = past ? '>' : '>=';
    const values = [store, namespaceBytesOf(from as never), Buffer.from(key)];
    const bounds =
      namespace === undefined
        ? `(namespace, key) ${compare} ($2::bytea, $3::bytea)`
        : `namespace = $2 AND key ${compare} $3 AND key < $4`;
    const text = `SELECT ${pageColumns} FROM ${schema}.record WHERE store = $1 AND ${bounds} ORDER BY namespace, key LIMIT ${limit}`;
    const name = `records ${namespace === undefined} ${past} ${limit}`;
    const rows = await this.#ask(name, text, namespace === undefined ? values : [...values, behindPrefix(prefix)]);
    const last = rows.at(-1);
    const next = { ...recordKeyOf(last?.[0], last?.[1]), past: true };
    return { rows, next };
  }

  /** Pages of rows, bounded in rows and in bytes. The next rows are fetched from where the last ones ended. */
  async *#pages<C>(
    begin: C,
    fetch: (cursor: C) => Promise<{ readonly rows: readonly SqlRow[]; readonly next: C }>,
    pageRecordsMax: number,
  ): AsyncGenerator<SqlRow[], void> {
    for (let cursor = begin; ; ) {
      const { rows, next } = await fetch(cursor);
      if (rows.length === 0) return;
      let page: SqlRow[] = [];
      let bytes = 0;
      for (const row of rows) {
        page.push(row);
        bytes += row.reduce((sum, column) => sum + (column?.length ?? 0) / 2, 0);
        if (page.length < pageRecordsMax && bytes < pageBytesMax) continue;
        yield page;
        if (this.#closed !== undefined) throw this.#closed;
        page = [];
        bytes = 0;
      }
      if (page.length > 0) yield page;
      cursor = next;
    }
  }

  #sound(rows: ReadonlyArray<Stored | Damaged>, onDamaged: OnDamaged | undefined): readonly Stored[] {
    return rows.filter((row): row is Stored => {
      if ('kind' in row) return true;
      this.#damage.note(row);
      if (onDamaged === undefined) throw damagedRecord(row);
      onDamaged(row);
      return false;
    });
  }

  async #ask(name: string, text: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return (await this.#asking())({ name, text }, values);
  }

  /** @throws UNAVAILABLE if the order of logs may lack purged records without a trace */
  async #checkLogs(): Promise<void> {
    await this.#asking();
    if (!this.#view.isOvertaken()) return;
    throw new MeridianError('UNAVAILABLE', 'records were purged while this snapshot was being taken', {
      reason: 'snapshot-overtaken',
      retryAfterMs: 100,
    });
  }

  async #asking(): Promise<Ask> {
    if (this.#closed !== undefined) throw this.#closed;
    const ask = await this.#view.begun;
    if (this.#closed !== undefined) throw this.#closed;
    return async (statement, values) => {
      try {
        return await ask(statement, values);
      } catch (error) {
        throw this.#closed ?? error;
      }
    };
  }
}

/** Where a page begins: after a key, or at it. */
interface Cursor {
  readonly namespace: string;
  readonly key: string;
  readonly past: boolean;
}

function isFrom(after: RecordKey, first: { readonly namespace: string; readonly key: string }): boolean {
  if (after.namespace !== first.namespace) return after.namespace > first.namespace;
  return Buffer.compare(Buffer.from(after.key), Buffer.from(first.key)) >= 0;
}

/** The first key after all with this prefix: the last byte plus one, which UTF-8 always leaves room for. */
function behindPrefix(prefix: string): Buffer {
  const bytes = Buffer.from(prefix === '' ? '\0' : prefix);
  if (prefix === '') return Buffer.from([0xff]);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 1;
  return bytes;
}
