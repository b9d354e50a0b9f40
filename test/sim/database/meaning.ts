import type { SqlRow, SqlValue } from '../../../src/store/postgres/sql-client.ts';
import type { Tables } from './tables.ts';

/** What a statement does, once nobody else holds what it locks. */
export interface Meaning {
  /** Rows that it changes, by name. */
  readonly locks: readonly string[];
  readonly run: (tables: Tables) => Done;
}

export interface Done {
  readonly rows: readonly SqlRow[];
  /** Unset where it changes nothing. */
  readonly change?: (tables: Tables) => Tables;
  /** It counts one commit. */
  readonly counts?: true;
}

/** The row that all commits count in. */
export const writerLock = 'writer';

export function numbersOf(array: SqlValue | undefined): Array<number | undefined> {
  const inner = String(array).slice(1, -1);
  return inner === '' ? [] : inner.split(',').map((text) => (text === 'NULL' ? undefined : Number(text)));
}

export function bufferOf(value: SqlValue | undefined): Buffer {
  if (!Buffer.isBuffer(value)) throw new Error(`${value} is no bytes`);
  return value;
}
