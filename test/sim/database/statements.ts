import { besideBytesMax } from '../../../src/store/postgres/record-reader.ts';
import { kinds } from '../../../src/store/postgres/schema.ts';
import type { SqlRow, SqlValue, Statement } from '../../../src/store/postgres/sql-client.ts';
import { bufferOf, type Done, type Meaning, numbersOf } from './meaning.ts';
import { changesOfSlice } from './slice-statements.ts';
import {
  compareRows,
  hex,
  numbersIn,
  pageRow,
  type RecordRow,
  rowsIn,
  sortedRows,
  type Tables,
  withRows,
} from './tables.ts';
import { writerStatement } from './writer-statements.ts';

/** What the store's statements mean. They are told apart by their names, and those that have none by their words. */
export function meaningOf(statement: Statement, values: readonly SqlValue[], nowMs: number): Meaning {
  const { name = '', text } = statement;
  if (name.startsWith('slice ')) return changesOfSlice(statement, values, nowMs);
  const ofWriter = writerStatement(statement, values, nowMs);
  if (ofWriter !== undefined) return ofWriter;
  if (name.startsWith('reap ')) return reap(name, values, text);
  if (/information_schema|\.about/.test(text)) return reads(() => [['1']]);
  const read = readers.find(([is]) => is.test(name === '' ? text : name));
  if (read === undefined) throw new Error(`not simulated: ${name} ${text}`);
  return reads((tables) => read[1](tables, values, statement));
}

type Reader = (tables: Tables, values: readonly SqlValue[], statement: Statement) => SqlRow[];

const readers: ReadonlyArray<readonly [RegExp, Reader]> = [
  [/^heads$/, heads],
  [/^read$/, (tables, [store, namespace, key]) => oneRow(tables, store, namespace, key).map((row) => pageRow(row))],
  [/^meta$/, meta],
  [/^SELECT name FROM/, (tables, [store]) => metaNames(tables, store).map((name) => [hex(name)])],
  [/^records /, records],
  [/^log \d+$/, log],
  [/^ended$/, ended],
  [/^logs$/, logs],
  [/^bytes$/, () => [['0']]],
  [/kind = \$2::int2 AND ended IS NOT NULL/, damaged],
];

function reads(run: (tables: Tables) => readonly SqlRow[]): Meaning {
  return { locks: [], run: (tables) => ({ rows: run(tables) }) };
}

function heads(tables: Tables, [store, packed, offsets, lengths]: readonly SqlValue[]): SqlRow[] {
  const bytes = bufferOf(packed);
  const sizes = numbersOf(lengths);
  return numbersOf(offsets).flatMap((at = 0, index) => {
    const key = bytes.subarray(at + 16, at + 16 + (sizes[index] ?? 0));
    const [row] = oneRow(tables, store, bytes.subarray(at, at + 16), key);
    return row === undefined ? [] : [[...pageRow(row).slice(0, 5), `${index + 1}`]];
  });
}

function oneRow(tables: Tables, store: SqlValue | undefined, namespace?: SqlValue, key?: SqlValue): RecordRow[] {
  const asked = { namespace: bufferOf(namespace).toString('hex'), key: bufferOf(key) };
  return sortedRows(rowsIn(tables, Number(store)), (row) => compareRows(row, asked) === 0);
}

function meta(tables: Tables, [store, name]: readonly SqlValue[]): SqlRow[] {
  const value = rowsIn(tables, Number(store)).meta.get(bufferOf(name).toString());
  return value === undefined ? [] : [[hex(value)]];
}

function metaNames(tables: Tables, store: SqlValue | undefined): Buffer[] {
  const names = [...rowsIn(tables, Number(store)).meta.keys()].map((name) => Buffer.from(name));
  return names.sort(Buffer.compare);
}

function records(tables: Tables, values: readonly SqlValue[], { name = '' }: Statement): SqlRow[] {
  const [, isAll, isPast, limit] = name.split(' ');
  const [store, namespace, key, behind] = values;
  const from = { namespace: bufferOf(namespace).toString('hex'), key: bufferOf(key) };
  const found = sortedRows(rowsIn(tables, Number(store)), (row) => {
    if (compareRows(row, from) < (isPast === 'true' ? 1 : 0)) return false;
    if (isAll === 'true') return true;
    return row.namespace === from.namespace && Buffer.compare(row.key, bufferOf(behind)) < 0;
  });
  return found.slice(0, Number(limit)).map((row) => pageRow(row, besideBytesMax));
}

function log(tables: Tables, [store, id, after]: readonly SqlValue[], { name = '' }: Statement): SqlRow[] {
  const of = bufferOf(id).toString('hex');
  const isIn = (row: RecordRow) => row.log === of && row.sequence > Number(after);
  const found = sortedRows(rowsIn(tables, Number(store)), isIn, ({ sequence }) => sequence);
  return found.slice(0, Number(name.slice('log '.length))).map((row) => {
    const columns = pageRow(row, besideBytesMax);
    return [...columns, `${row.sequence}`];
  });
}

function ended(tables: Tables, values: readonly SqlValue[], { text }: Statement): SqlRow[] {
  const [store, kind, through, atSeconds, namespace, key] = values;
  const after = { namespace: bufferOf(namespace).toString('hex'), key: bufferOf(key) };
  const isIn = (row: RecordRow) => {
    if (row.kind !== kind || row.ended === undefined || row.ended > Number(through)) return false;
    return row.ended > Number(atSeconds) || (row.ended === Number(atSeconds) && compareRows(row, after) > 0);
  };
  const found = sortedRows(rowsIn(tables, Number(store)), isIn, (row) => row.ended ?? 0);
  const limit = Number(/LIMIT (\d+)/.exec(text)?.[1]);
  return found.slice(0, limit).map((row) => [...pageRow(row).slice(0, 5), null, `${row.ended}`]);
}

function logs(tables: Tables, [store, last]: readonly SqlValue[]): SqlRow[] {
  const after = bufferOf(last).toString('hex');
  const all = [...rowsIn(tables, Number(store)).records.values()].map((row) => row.log).sort();
  const next = all.find((id) => id > after);
  return next === undefined ? [] : [[`\\x${next}`]];
}

function damaged(tables: Tables, [store]: readonly SqlValue[]): SqlRow[] {
  const found = sortedRows(rowsIn(tables, Number(store)), ({ kind }) => kind === kinds.damaged);
  return found.map((row) => pageRow(row).slice(0, 5));
}

/** What was dropped is deleted some rows at a time; it is in no use any more. */
function reap(name: string, [store]: readonly SqlValue[], text: string): Meaning {
  const limit = Number(/LIMIT (\d+)/.exec(text)?.[1]);
  const run = (tables: Tables): Done => {
    const { current, aside } = numbersIn(tables);
    if ([current, ...aside].includes(Number(store))) throw new Error(`store ${store} is reaped, and in use`);
    const { records: held, meta: named } = rowsIn(tables, Number(store));
    const gone = name === 'reap record' ? held.size : name === 'reap meta' ? named.size : 0;
    const left = name === 'reap record' ? { records: new Map(), meta: named } : { records: held, meta: new Map() };
    const change = (now: Tables) => withRows(now, Number(store), left);
    return { rows: [[`${Math.min(gone, limit)}`]], ...(gone === 0 ? {} : { change }) };
  };
  return { locks: [], run };
}
