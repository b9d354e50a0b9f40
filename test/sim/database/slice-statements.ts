import type { SqlValue, Statement } from '../../../src/store/postgres/sql-client.ts';
import { bufferOf, type Done, type Meaning, numbersOf, writerLock } from './meaning.ts';
import { nameOfRow, type RecordRow, type Rows, rowsIn, type Tables, withRows } from './tables.ts';
import { counted, isFenced } from './writer-statements.ts';

/** Arrays of each part of a slice, besides the bytes (commit-statement.ts). */
const arraysOf: Readonly<Record<string, number>> = {
  gone: 2,
  staleChunks: 2,
  puts: 7,
  chunks: 4,
  meta: 3,
  metaGone: 2,
};

interface Changes {
  readonly gone: readonly string[];
  readonly puts: readonly RecordRow[];
  readonly meta: ReadonlyArray<readonly [string, Buffer]>;
  readonly metaGone: readonly string[];
}

/** A slice of a commit; one that has a fence compares and counts in the same statement. */
export function changesOfSlice(statement: Statement, values: readonly SqlValue[], nowMs: number): Meaning {
  const words = (statement.name ?? '').split(' ').slice(1);
  const fenced = words.includes('fenced');
  const store = Number(values[0]);
  const changes = read(
    words.filter((word) => word !== 'fenced' && word !== ''),
    values.slice(fenced ? 4 : 1),
  );
  const locks = [...changes.gone, ...changes.puts.map(nameOfRow)].map((name) => `${store} ${name}`);
  const names = [...changes.metaGone, ...changes.meta.map(([name]) => name)].map((name) => `${store} meta ${name}`);
  const all = [...locks, ...names];
  const write = (tables: Tables) => withRows(tables, store, changed(rowsIn(tables, store), changes));
  if (!fenced) return { locks: all, run: () => ({ rows: [['1']], change: write }) };
  const fence = values.slice(1, 4);
  const run = (tables: Tables): Done => {
    if (!isFenced(statement.text, fence, tables)) return { rows: [['0']] };
    return { rows: [['1']], change: (now) => counted(write(now), fence, nowMs), counts: true };
  };
  return { locks: [...all, writerLock], run };
}

function read(parts: readonly string[], values: readonly SqlValue[]): Changes {
  const changes = {
    gone: [] as string[],
    puts: [] as RecordRow[],
    meta: [] as [string, Buffer][],
    metaGone: [] as string[],
  };
  let at = 0;
  for (const part of parts) {
    const arrays = arraysOf[part] ?? 0;
    const bytes = bufferOf(values[at]);
    const columns = values.slice(at + 1, at + 1 + arrays).map(numbersOf);
    at += 1 + arrays;
    const rows = (columns[0] ?? []).map((offset = 0, row) => ({
      bytes: bytes.subarray(offset),
      numbers: columns.slice(1).map((column) => column[row]),
    }));
    if (part === 'chunks') throw new Error('values in chunks are not simulated');
    for (const row of rows) {
      if (part === 'gone') changes.gone.push(nameOfRow(keyOf(row)));
      else if (part === 'puts') changes.puts.push(putOf(row));
      else if (part === 'meta') changes.meta.push(metaOf(row));
      else if (part === 'metaGone') changes.metaGone.push(row.bytes.subarray(0, row.numbers[0] ?? 0).toString());
    }
  }
  return changes;
}

interface Packed {
  readonly bytes: Buffer;
  readonly numbers: ReadonlyArray<number | undefined>;
}

function keyOf({ bytes, numbers: [keyBytes = 0] }: Packed) {
  return { namespace: bytes.subarray(0, 16).toString('hex'), key: bytes.subarray(16, 16 + keyBytes) };
}

function putOf(row: Packed): RecordRow {
  const [keyBytes = 0, headBytes = 0, valueBytes, sequence = 0, kind = 0, ended] = row.numbers;
  const at = 24 + keyBytes;
  const value = valueBytes === undefined ? undefined : row.bytes.subarray(at + headBytes, at + headBytes + valueBytes);
  return {
    ...keyOf(row),
    log: row.bytes.subarray(16 + keyBytes, at).toString('hex'),
    sequence,
    kind,
    ended,
    head: row.bytes.subarray(at, at + headBytes),
    value,
  };
}

function metaOf({ bytes, numbers: [nameBytes = 0, valueBytes = 0] }: Packed): [string, Buffer] {
  return [bytes.subarray(0, nameBytes).toString(), bytes.subarray(nameBytes, nameBytes + valueBytes)];
}

function changed({ records, meta }: Rows, { gone, puts, meta: named, metaGone }: Changes): Rows {
  const nextRecords = new Map(records);
  const nextMeta = new Map(meta);
  for (const name of gone) nextRecords.delete(name);
  for (const row of puts) nextRecords.set(nameOfRow(row), row);
  for (const [name, value] of named) nextMeta.set(name, value);
  for (const name of metaGone) nextMeta.delete(name);
  return { records: nextRecords, meta: nextMeta };
}
