import { mapKey } from '../../../src/model/key.ts';
import type { NamespaceId } from '../../../src/model/namespace.ts';
import type { Record } from '../../../src/model/record.ts';
import { parsedRow } from '../../../src/store/postgres/record-reader.ts';
import { kinds } from '../../../src/store/postgres/schema.ts';
import type { SqlRow } from '../../../src/store/postgres/sql-client.ts';
import {
  decodeStores,
  encodeStores,
  firstStores,
  type StoreNumbers,
} from '../../../src/store/postgres/store-numbers.ts';
import type { Contents } from '../../support/memory-store.ts';

/** A row of `record`. */
export interface RecordRow {
  /** Hexadecimal digits. */
  readonly namespace: string;
  readonly key: Buffer;
  /** Hexadecimal digits. */
  readonly log: string;
  readonly sequence: number;
  readonly kind: number;
  readonly ended: number | undefined;
  readonly head: Buffer;
  readonly value: Buffer | undefined;
}

/** The row of `writer`. */
export interface Writing {
  /** Hexadecimal digits. */
  readonly lease: string;
  readonly commits: number;
  readonly holder: string;
  readonly address: string;
  /** By the clock of the database. */
  readonly untilMs: number;
  readonly stores: string;
}

/** What stands under one number of `store`. */
export interface Rows {
  readonly records: ReadonlyMap<string, RecordRow>;
  readonly meta: ReadonlyMap<string, Buffer>;
}

/** All tables, as of some commit. */
export interface Tables {
  readonly writer: Writing;
  readonly stores: ReadonlyMap<number, Rows>;
}

export const noRows: Rows = { records: new Map(), meta: new Map() };

export const emptyTables: Tables = {
  writer: { lease: '', commits: 0, holder: '', address: '', untilMs: 0, stores: encodeStores(firstStores) },
  stores: new Map(),
};

export function rowsIn({ stores }: Tables, store: number): Rows {
  return stores.get(store) ?? noRows;
}

export function withRows(tables: Tables, store: number, rows: Rows): Tables {
  return { ...tables, stores: new Map([...tables.stores, [store, rows]]) };
}

export function numbersIn({ writer }: Tables): StoreNumbers {
  return decodeStores(writer.stores);
}

export function nameOfRow({ namespace, key }: Pick<RecordRow, 'namespace' | 'key'>): string {
  return mapKey(namespace as NamespaceId, key.toString());
}

/** As the text of a column of bytes has it. */
export function hex(bytes: Buffer): string {
  return `\\x${bytes.toString('hex')}`;
}

/** The columns of a page (record-reader.ts), with values up to so many bytes. */
export function pageRow(row: RecordRow, besideBytesMax = Number.POSITIVE_INFINITY): Array<string | null> {
  const { namespace, key, log, sequence, head, value } = row;
  const shown = value !== undefined && value.byteLength <= besideBytesMax ? hex(value) : null;
  return [`\\x${namespace}`, hex(key), `\\x${log}`, `${sequence}`, hex(head), shown];
}

/** By namespace and key, or by what comes before those. */
export function sortedRows(
  rows: Rows,
  isIn: (row: RecordRow) => boolean,
  before: (row: RecordRow) => number = () => 0,
): RecordRow[] {
  const found = [...rows.records.values()].filter(isIn);
  return found.sort((a, b) => before(a) - before(b) || compareRows(a, b));
}

export function compareRows(a: Pick<RecordRow, 'namespace' | 'key'>, b: Pick<RecordRow, 'namespace' | 'key'>): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return Buffer.compare(a.key, b.key);
}

/** What a judge sees of a store. */
export function contentsOf({ records, meta }: Rows): Contents {
  const damaged = new Set<string>();
  const read = new Map<string, Record>();
  for (const [name, row] of records) {
    if (row.kind === kinds.damaged) damaged.add(name);
    else read.set(name, recordOf(row));
  }
  return { records: read, damaged, meta };
}

const decoded = new WeakMap<RecordRow, Record>();

export function recordOf(row: RecordRow): Record {
  const known = decoded.get(row);
  if (known !== undefined) return known;
  const parsed = parsedRow(pageRow(row) satisfies SqlRow);
  if (!('head' in parsed)) throw new Error(`the row of ${row.key} is damaged`);
  const record = decode(parsed.head, row.value);
  decoded.set(row, record);
  return record;
}

function decode(head: Extract<ReturnType<typeof parsedRow>, { head: unknown }>['head'], value: Buffer | undefined) {
  if (head.kind === 'tombstone') return head;
  const { valueBytes, ...rest } = head;
  if (value?.byteLength !== valueBytes) throw new Error(`the value of ${head.key} is not in its row`);
  return { ...rest, value };
}
