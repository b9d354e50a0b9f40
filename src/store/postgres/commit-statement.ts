import { holds } from '../../model/rules.ts';
import { PackedRows, packKeys } from './packing.ts';
import type { SqlValue, Statement } from './sql-client.ts';

/** What one statement changes. Its rows name each key once. */
export interface Slice {
  /** Records to delete. */
  readonly gone: PackedRows;
  /** Keys whose chunks are deleted, except those of the stamp that follows the key. */
  readonly staleChunks: PackedRows;
  readonly puts: PackedRows;
  readonly chunks: PackedRows;
  readonly meta: PackedRows;
  /** Names of state to delete. */
  readonly metaGone: PackedRows;
}

export function emptySlice(): Slice {
  return {
    gone: packKeys([]),
    staleChunks: new PackedRows(1),
    puts: new PackedRows(6),
    chunks: new PackedRows(3),
    meta: new PackedRows(2),
    metaGone: new PackedRows(1),
  };
}

export function bytesOf(slice: Slice): number {
  return Object.values(slice).reduce((sum: number, rows: PackedRows) => sum + rows.bytes + rows.rows * 16, 0);
}

/** The row of `writer` in which a commit counts, and what it must hold for the commit to count. */
export interface Fence {
  readonly lease: Buffer;
  readonly commits: number;
  readonly leaseMs: number;
}

type Part = keyof Slice;

/** In the order in which they are written. All see the state before the statement, so no two touch one row. */
const parts: readonly Part[] = ['gone', 'staleChunks', 'puts', 'chunks', 'meta', 'metaGone'];

/** Columns of each part's arrays, the offset first. */
const columns: Readonly<Record<Part, readonly string[]>> = {
  gone: ['o int4', 'k int4'],
  staleChunks: ['o int4', 'k int4'],
  puts: ['o int4', 'k int4', 'h int4', 'v int4', 'sequence int8', 'kind int2', 'ended int8'],
  chunks: ['o int4', 'k int4', 'part int4', 'b int4'],
  meta: ['o int4', 'k int4', 'v int4'],
  metaGone: ['o int4', 'k int4'],
};

/**
 * One statement for a slice. With a fence it commits by itself, and counts: it first compares and counts the row of the
 * writer, and changes nothing if that is not as it must be. The one row of its answer says how many rows it counted in.
 */
export function sliceStatement(
  schema: string,
  { store, slice, fence }: { readonly store: number; readonly slice: Slice; readonly fence: Fence | undefined },
): { readonly statement: Statement; readonly values: readonly SqlValue[] } {
  const values: SqlValue[] = [store];
  const common: string[] = [];
  if (fence !== undefined) {
    common.push(`fence AS (${fenceText(schema, values.length + 1)})`);
    values.push(fence.lease, fence.commits, fence.leaseMs);
  }
  const held = parts.filter((part) => slice[part].rows > 0);
  for (const part of held) {
    common.push(`${part} AS (${partText(schema, part, { first: values.length + 1, fenced: fence !== undefined })})`);
    values.push(...slice[part].values());
  }
  const counted = fence === undefined ? 'SELECT 1' : 'SELECT count(*) FROM fence';
  const name = `slice ${fence === undefined ? '' : 'fenced '}${held.join(' ')}`;
  return {
    // The first parameter is named in each, so that it has a type even if no part names it.
    statement: { name, text: `WITH ${[...common, 'one AS (SELECT $1::int4)'].join(', ')} ${counted}` },
    values,
  };
}

/**
 * Counts one commit if this process still holds the lease, and nothing was committed or undone unnoticed.
 * @param stores the numbers of `store` that are in use from then on
 */
export function fenceStatement(
  schema: string,
  { lease, commits, leaseMs }: Fence,
  stores?: string,
): { readonly statement: Statement; readonly values: readonly SqlValue[] } {
  const values = [lease, commits, leaseMs];
  if (stores === undefined) return { statement: { name: 'fence', text: fenceText(schema, 1) }, values };
  return { statement: { text: fenceText(schema, 1, 'stores = $4, ') }, values: [...values, stores] };
}

function fenceText(schema: string, first: number, more = ''): string {
  const lease = holds('engine: a commit compares the lease') ? ` AND lease = $${first}::bytea` : '';
  return (
    `UPDATE ${schema}.writer SET commits = commits + 1, ${more}` +
    `until = clock_timestamp() + $${first + 2}::int4 * interval '1 millisecond' ` +
    `WHERE one = 1${lease} AND commits = $${first + 1}::int8 RETURNING 1`
  );
}

function partText(
  schema: string,
  part: Part,
  { first, fenced }: { readonly first: number; readonly fenced: boolean },
): string {
  const arrays = columns[part].map((column, index) => `$${first + 1 + index}::${column.split(' ')[1]}[]`);
  const names = columns[part].map((column) => column.split(' ')[0]);
  const given: GivenRows = {
    schema,
    rows: `unnest(${arrays.join(', ')}) AS t(${names.join(', ')})`,
    cut: (from, length) => `substring($${first}::bytea FROM o + ${from} FOR ${length})`,
    onlyIf: fenced ? 'EXISTS (SELECT 1 FROM fence)' : 'true',
  };
  return part === 'puts' || part === 'chunks' || part === 'meta' ? written(part, given) : deleted(part, given);
}

/** The rows of one part, as its statement reads them. */
interface GivenRows {
  readonly schema: string;
  readonly rows: string;
  /** The bytes of a row from that offset on. */
  readonly cut: (from: string, length: string) => string;
  readonly onlyIf: string;
}

function deleted(part: 'gone' | 'staleChunks' | 'metaGone', { schema, rows, cut, onlyIf }: GivenRows): string {
  if (part === 'metaGone') {
    return `DELETE FROM ${schema}.meta m USING (SELECT ${cut('1', 'k')} AS name FROM ${rows}) g
      WHERE m.store = $1 AND m.name = g.name AND ${onlyIf}`;
  }
  // Each row names the store: named once, a planner that takes a store for small would read it whole.
  const key = `$1 + 0 * o AS store, ${cut('1', '16')} AS n, ${cut('17', 'k')} AS key`;
  const isGiven = 'd.store = g.store AND d.namespace = g.n AND d.key = g.key';
  if (part === 'gone')
    return `DELETE FROM ${schema}.record d USING (SELECT ${key} FROM ${rows}) g WHERE ${isGiven} AND ${onlyIf}`;
  return `DELETE FROM ${schema}.chunk d USING (SELECT ${key}, ${cut('17 + k', '16')} AS stamp FROM ${rows}) g
    WHERE ${isGiven} AND d.stamp <> g.stamp AND ${onlyIf}`;
}

function written(part: 'puts' | 'chunks' | 'meta', { schema, rows, cut, onlyIf }: GivenRows): string {
  const key = `$1, ${cut('1', '16')}, ${cut('17', 'k')}`;
  switch (part) {
    case 'puts':
      return `INSERT INTO ${schema}.record (store, namespace, key, log, sequence, kind, ended, head, value)
        SELECT ${key}, ${cut('17 + k', '8')}, sequence, kind, ended, ${cut('25 + k', 'h')},
          CASE WHEN v IS NOT NULL THEN ${cut('25 + k + h', 'v')} END
        FROM ${rows} WHERE ${onlyIf}
        ON CONFLICT (store, namespace, key) DO UPDATE SET log = excluded.log, sequence = excluded.sequence,
          kind = excluded.kind, ended = excluded.ended, head = excluded.head, value = excluded.value`;
    case 'chunks':
      return `INSERT INTO ${schema}.chunk (store, namespace, key, stamp, part, bytes)
        SELECT ${key}, ${cut('17 + k', '16')}, part, ${cut('33 + k', 'b')} FROM ${rows} WHERE ${onlyIf}
        ON CONFLICT (store, namespace, key, stamp, part) DO UPDATE SET bytes = excluded.bytes`;
    case 'meta':
      return `INSERT INTO ${schema}.meta (store, name, value) SELECT $1, ${cut('1', 'k')}, ${cut('1 + k', 'v')}
        FROM ${rows} WHERE ${onlyIf} ON CONFLICT (store, name) DO UPDATE SET value = excluded.value`;
  }
}
