import { crc32 } from 'node:zlib';
import type { RecordKey } from '../../model/key.ts';
import type { LogId, Position } from '../../model/position.ts';
import type { Head, LiveHead, LiveRecord, Record } from '../../model/record.ts';
import { damagedRecord, isDamaged, type LiveRow, parseRow, type Row, stampAt } from '../record-row.ts';
import type { Damaged, OnDamaged, Stored } from '../store.ts';
import { damaged } from '../store-errors.ts';
import { inlineBytesMax } from './commit-slices.ts';
import { namespaceBytesOf, packKeys, recordKeyOf } from './packing.ts';
import { bytesOf, numberOf, type SqlRow, type SqlValue, type Statement } from './sql-client.ts';

/** Asks one connection, or any of a pool. */
export type Ask = (statement: Statement, values: readonly SqlValue[]) => Promise<readonly SqlRow[]>;

/** Names the rows of one store. */
export interface StoreRows {
  readonly schema: string;
  readonly store: number;
}

/** Keys of one statement. */
const headsMax = 1_000;
/** A value of more bytes is left out of a page. */
export const besideBytesMax = 4096;

/** The columns of a row in a page, in this order. */
export const pageColumns = `namespace, key, log, sequence, head, CASE WHEN octet_length(value) <= ${besideBytesMax} THEN value END`;
export const headColumns = 'namespace, key, log, sequence, head';

/** @throws DATA_LOSS for a damaged record, if there is no `onDamaged` */
export async function readHeads(
  ask: Ask,
  { schema, store }: StoreRows,
  keys: readonly RecordKey[],
  onDamaged: OnDamaged | undefined,
): Promise<Array<Head | undefined>> {
  const heads: Array<Head | undefined> = new Array(keys.length).fill(undefined);
  // With a limit, each key is looked up by itself: without, a planner that takes a store for small reads it whole.
  const text =
    'SELECT r.namespace, r.key, r.log, r.sequence, r.head, t.i FROM ' +
    'unnest($3::int4[], $4::int4[]) WITH ORDINALITY AS t(o, k, i) CROSS JOIN LATERAL ' +
    `(SELECT * FROM ${schema}.record WHERE store = $1 AND namespace = substring($2::bytea FROM t.o + 1 FOR 16) ` +
    'AND key = substring($2::bytea FROM t.o + 17 FOR t.k) LIMIT 1) r';
  for (let from = 0; from < keys.length; from += headsMax) {
    const asked = keys.slice(from, from + headsMax);
    const rows = await ask({ name: 'heads', text }, [store, ...packKeys(asked).values()]);
    for (const row of rows) {
      const parsed = parsedRow(row);
      if (!isDamaged(parsed)) heads[from + numberOf(row[5]) - 1] = parsed.head;
      else if (onDamaged === undefined) throw damagedRecord(parsed);
      else onDamaged(parsed);
    }
  }
  return heads;
}

/** The complete record. @throws DATA_LOSS if it, or its value, is damaged */
export async function readRecord(ask: Ask, rows: StoreRows, key: RecordKey): Promise<Record | undefined> {
  const { schema, store } = rows;
  const of = 'store = $1 AND namespace = $2 AND key = $3';
  const values = [store, namespaceBytesOf(key.namespace), Buffer.from(key.key)];
  const text = `SELECT namespace, key, log, sequence, head, value FROM ${schema}.record WHERE ${of}`;
  const [row] = await ask({ name: 'read', text }, values);
  if (row === undefined) return undefined;
  const found = soundRow(row);
  if (!('checksum' in found)) return found.head;
  if (found.head.valueBytes <= inlineBytesMax) return withValue(found, row[5] === null ? [] : [bytesOf(row[5])]);
  return readChunks(ask, rows, key);
}

/** One statement, as between two the record could be overwritten: it sees a head and the chunks that belong to it. */
async function readChunks(ask: Ask, { schema, store }: StoreRows, key: RecordKey): Promise<Record | undefined> {
  const text =
    'SELECT r.namespace, r.key, r.log, r.sequence, CASE WHEN c.part IS NULL OR c.part = 0 THEN r.head END, r.value, c.bytes ' +
    `FROM ${schema}.record r LEFT JOIN ${schema}.chunk c ON c.store = r.store AND c.namespace = r.namespace ` +
    `AND c.key = r.key AND c.stamp = substring(r.head FROM ${stampAt + 1} FOR 16) ` +
    'WHERE r.store = $1 AND r.namespace = $2 AND r.key = $3 ORDER BY c.part';
  const all = await ask({ name: 'chunks', text }, [store, namespaceBytesOf(key.namespace), Buffer.from(key.key)]);
  const [row] = all;
  if (row === undefined) return undefined;
  if (row[4] === null) throw missingValue(key);
  const found = soundRow(row);
  if (!('checksum' in found)) return found.head;
  const parts = row[5] === null ? all.map((each) => bytesOf(each[6])) : [bytesOf(row[5])];
  return withValue(found, parts);
}

function withValue(row: LiveRow, parts: readonly Buffer[]): LiveRecord {
  const { valueBytes, ...head } = row.head;
  const [first] = parts;
  const value = parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
  if (value.byteLength !== valueBytes || crc32(value) !== row.checksum) throw missingValue(head);
  return { ...head, value };
}

/** A row of a page, with its value if the page has it. */
export function storedOf(row: SqlRow): Stored | Damaged {
  const parsed = parsedRow(row);
  if (isDamaged(parsed) || !('checksum' in parsed)) return isDamaged(parsed) ? parsed : parsed.head;
  if (row[5] === null || row[5] === undefined) return parsed.head;
  const value = bytesOf(row[5]);
  if (value.byteLength === parsed.head.valueBytes && crc32(value) === parsed.checksum) {
    // Into the head itself, which is used nowhere else yet.
    const stored: LiveHead & { value?: Uint8Array } = parsed.head;
    stored.value = value;
    return stored;
  }
  const { namespace, key, position } = parsed.head;
  return { namespace, key, position };
}

/** A damaged record is still known by its columns. */
export function parsedRow(row: SqlRow): Row | Damaged {
  const key = recordKeyOf(row[0], row[1]);
  const parsed = parseRow(key, bytesOf(row[4]));
  return isDamaged(parsed) ? { ...key, position: positionIn(row) } : parsed;
}

function soundRow(row: SqlRow): Row {
  const parsed = parsedRow(row);
  if (isDamaged(parsed)) throw damagedRecord(parsed);
  return parsed;
}

function positionIn(row: SqlRow): Position {
  return { log: (row[2] ?? '').slice(2) as LogId, sequence: numberOf(row[3]) };
}

function missingValue({ namespace, key }: RecordKey) {
  return damaged(`the value of ${JSON.stringify(key)} in namespace ${namespace} fails its checksum`);
}
