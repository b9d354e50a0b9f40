import type { Snapshot as LevelView } from 'classic-level';
import type { RecordKey } from '../../model/key.ts';
import type { Head, Record } from '../../model/record.ts';
import { damagedRecord, decodeRow, isDamaged, parseRow, type Row } from '../record-row.ts';
import type { Damaged, OnDamaged, ReadNow } from '../store.ts';
import type { Database } from './level-database.ts';
import { recordKey } from './level-keys.ts';
import { assemble, chunkKeys, withValue } from './level-value.ts';

/** Reads from the newest state, or from a snapshot's. */
export interface ReadFrom {
  readonly snapshot?: LevelView;
}

/**
 * Rows fetched synchronously at once, at the most: each takes a few microseconds, several times less than a trip to
 * another thread. More rows are fetched there, so that the event loop does not wait for them.
 */
const rowsOnTheSpotMax = 32;

export async function readRows(
  database: Database,
  keys: readonly RecordKey[],
  from: ReadFrom,
): Promise<Array<Row | Damaged | undefined>> {
  const names = keys.map(recordKey);
  const rows =
    names.length <= rowsOnTheSpotMax
      ? names.map((name) => database.getSync(name, from))
      : await database.getMany(names, from);
  return keys.map((key, index) => {
    const row = rows[index];
    return row === undefined ? undefined : parseRow(key, row);
  });
}

/** @throws DATA_LOSS for a damaged record, if there is no `onDamaged` */
export async function readHeads(
  database: Database,
  keys: readonly RecordKey[],
  onDamaged: OnDamaged | undefined,
): Promise<Array<Head | undefined>> {
  return (await readRows(database, keys, {})).map((row) => {
    if (row === undefined) return undefined;
    if (!isDamaged(row)) return row.head;
    if (onDamaged === undefined) throw damagedRecord(row);
    onDamaged(row);
    return undefined;
  });
}

/** The record by one read; `overwritten` if its value was removed between the reads of its row and of its chunks. */
export async function readRecord(
  database: Database,
  key: RecordKey,
  from: ReadFrom,
): Promise<Record | undefined | 'overwritten'> {
  const found = database.getSync(recordKey(key), from);
  if (found === undefined) return undefined;
  const row = decodeRow(key, found);
  if (!('checksum' in row)) return row.head;
  if (row.value !== undefined) return withValue(row.head, row.value);
  const chunks = await database.getMany(chunkKeys(key, row.head.stamp, row.head.valueBytes), from);
  return assemble(row, chunks) ?? 'overwritten';
}

/** As `Store.readNow`: a value kept apart, damage and failures are left to `readRecord`, which reports them. */
export function readRecordNow(database: Database, key: RecordKey): ReadNow | undefined {
  let found: Buffer | undefined;
  try {
    found = database.getSync(recordKey(key));
  } catch {
    return undefined;
  }
  if (found === undefined) return { record: undefined };
  const row = parseRow(key, found);
  if (isDamaged(row)) return undefined;
  if (!('checksum' in row)) return { record: row.head };
  return row.value === undefined ? undefined : { record: withValue(row.head, row.value) };
}
