import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapKey } from '../../model/key.ts';
import { syncFile } from '../files/sync-file.ts';
import type { Database } from '../level/level-database.ts';
import {
  damageKey,
  doubtsKey,
  endedKey,
  logKey,
  parseLogKey,
  parseRecordKey,
  tableBounds,
} from '../level/level-keys.ts';
import { encodeDamagedRow, isDamaged, parseRow } from '../record-row.ts';
import { damaged } from '../store-errors.ts';
import { decodeRanges, encodeRanges, isWithin, type KeyRange, rangesIn } from './key-range.ts';

/*
 * What a damaged block held is gone (table-file.ts), and LevelDB answers as if it had never been there: with nothing,
 * or with an older version from a table beneath. But most of it stands in the store twice, so it is still known:
 *
 *   damaged block of    known from                     what is done
 *   rows (r)            the log's entries (l)          an entry whose row is absent or at another position: that record
 *                                                      is lost; its row becomes one that says so. A row without an
 *                                                      entry came up from beneath and goes
 *   log (l), ends (e,g) the rows                       entries are written again
 *   values (v)          the row's length and checksum  nothing: reading says DATA_LOSS, writing replaces
 *   named state (m)     nothing                        the store is refused
 *   rows and log        each other, but for what stood the rows' ranges become doubtful: there an absent key reads
 *                       in both damaged blocks         as DATA_LOSS, since nobody knows that it was never there
 *
 * The ranges are written down, synced, before a block is blanked, and forgotten once all this is in the store.
 */

const pendingName = 'QUARANTINE';
const operationsMax = 1000;

/** Ranges that were blanked and are not settled yet. */
export async function readPending(directory: string): Promise<KeyRange[]> {
  try {
    return decodeRanges(await readFile(join(directory, pendingName), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export async function writePending(directory: string, ranges: readonly KeyRange[]): Promise<void> {
  const path = join(directory, pendingName);
  await writeFile(`${path}.part`, encodeRanges(ranges));
  await syncFile(`${path}.part`);
  await rename(`${path}.part`, path);
  await syncFile(directory);
}

export async function forgetPending(directory: string): Promise<void> {
  await rm(join(directory, pendingName), { force: true });
}

/**
 * Makes the store say what it lost in these ranges. If it is interrupted, it can begin again.
 * @throws DATA_LOSS if named state was in them, unless that is accepted
 */
export async function settleDamage(database: Database, ranges: readonly KeyRange[], acceptLoss: boolean) {
  if (rangesIn('m', ranges).length > 0 && !acceptLoss) {
    throw damaged('a block that held named state cannot be read, and what it was is not known from elsewhere');
  }
  const rows = rangesIn('r', ranges);
  const log = rangesIn('l', ranges);
  const ends = [...rangesIn('e', ranges), ...rangesIn('g', ranges)];
  if (log.length + ends.length > 0) await restoreIndexes(database, { rows, log, ends });
  if (log.length > 0) await dropStaleEntries(database, { rows, log });
  if (rows.length > 0) await markLost(database, rows);
  if (rows.length > 0) await dropStaleRows(database, { rows, log });
  if (rows.length > 0 && log.length > 0) {
    const doubts = [...(await readDoubts(database)), ...rows];
    await database.put(doubtsKey, Buffer.from(encodeRanges(doubts)), { sync: true });
  }
}

/** Ranges in which an absent key may have been held. */
export async function readDoubts(database: Database): Promise<KeyRange[]> {
  const stored = database.getSync(doubtsKey);
  return stored === undefined ? [] : decodeRanges(stored.toString());
}

interface Ranges {
  readonly rows: readonly KeyRange[];
  readonly log: readonly KeyRange[];
}

/** Writes the entries of the log and of the ends again, from the rows that are sound. */
async function restoreIndexes(
  database: Database,
  { rows, log, ends }: Ranges & { readonly ends: readonly KeyRange[] },
) {
  const changes = new Changes(database);
  for await (const [name, bytes] of database.iterator(tableBounds('r'))) {
    if (isWithin(rows, name)) continue;
    const row = parseRow(parseRecordKey(name, 1), bytes);
    const position = isDamaged(row) ? row.position : row.head.position;
    if (position !== undefined && isWithin(log, logKey(position))) await changes.put(logKey(position), name.slice(1));
    const ended = isDamaged(row) ? undefined : endedKey(row.head);
    if (ended !== undefined && isWithin(ends, ended)) await changes.put(ended, '');
  }
  await changes.write();
}

/** Removes entries that came up from beneath: their record is at another position, or gone. */
async function dropStaleEntries(database: Database, { rows, log }: Ranges) {
  const changes = new Changes(database);
  for (const [name, value] of await entriesIn(database, log)) {
    const key = parseRecordKey(value.toString(), 0);
    const found = database.getSync(`r${value}`);
    if (isWithin(rows, `r${value}`) || (found !== undefined && positionNameOf(parseRow(key, found)) === name)) continue;
    await changes.del(name);
  }
  await changes.write();
}

/** If the row of a log entry is not the one written with it, the row becomes one of a lost record. */
async function markLost(database: Database, rows: readonly KeyRange[]) {
  const changes = new Changes(database);
  for await (const [name, value] of database.iterator(tableBounds('l'))) {
    const row = `r${value}`;
    if (!isWithin(rows, row)) continue;
    const key = parseRecordKey(row, 1);
    const found = database.getSync(row);
    if (found !== undefined && positionNameOf(parseRow(key, found)) === name) continue;
    await changes.put(row, encodeDamagedRow(parseLogKey(name)));
    await changes.put(damageKey(key), '');
  }
  await changes.write();
}

/** A row without its entry came up from beneath its removal or replacement, unless the entry may be lost as well. */
async function dropStaleRows(database: Database, { rows, log }: Ranges) {
  const changes = new Changes(database);
  for (const [name, bytes] of await entriesIn(database, rows)) {
    const key = parseRecordKey(name, 1);
    const row = parseRow(key, bytes);
    if (isDamaged(row)) continue;
    const { position } = row.head;
    const entry = database.getSync(logKey(position))?.toString();
    if (entry === mapKey(key.namespace, key.key)) continue;
    if (isWithin(log, logKey(position))) {
      await changes.put(name, encodeDamagedRow(position));
      await changes.put(logKey(position), name.slice(1));
      await changes.put(damageKey(key), '');
      continue;
    }
    const ended = endedKey(row.head);
    await changes.del(name);
    if (ended !== undefined) await changes.del(ended);
  }
  await changes.write();
}

function positionNameOf(row: ReturnType<typeof parseRow>): string | undefined {
  const position = isDamaged(row) ? row.position : row.head.position;
  return position === undefined ? undefined : logKey(position);
}

/** All at once: a damaged block holds some dozens of entries, and many blocks some thousands. */
async function entriesIn(database: Database, ranges: readonly KeyRange[]): Promise<Array<[string, Buffer]>> {
  const entries: Array<[string, Buffer]> = [];
  for (const { from, to } of ranges) {
    const bounds = { keyEncoding: 'buffer', gte: from, lte: to } as const;
    for await (const [key, value] of database.iterator<Buffer, Buffer>(bounds)) entries.push([key.toString(), value]);
  }
  return entries;
}

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: string };

/** Changes of any number, in batches that are synced. */
class Changes {
  readonly #database: Database;
  #operations: Operation[] = [];

  constructor(database: Database) {
    this.#database = database;
  }

  put(key: string, value: string | Uint8Array): Promise<void> {
    const bytes =
      typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return this.#add({ type: 'put', key, value: bytes });
  }

  del(key: string): Promise<void> {
    return this.#add({ type: 'del', key });
  }

  async write(): Promise<void> {
    await this.#database.batch(this.#operations, { sync: true });
    this.#operations = [];
  }

  async #add(operation: Operation): Promise<void> {
    this.#operations.push(operation);
    if (this.#operations.length >= operationsMax) await this.write();
  }
}
