import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { MeridianError } from '../model/errors.ts';
import { mapKey } from '../model/key.ts';
import type { LiveRecord } from '../model/record.ts';
import { walkLog } from './files/log-file.ts';
import { readManifest } from './files/manifest.ts';
import { readTable, type TableEntry } from './files/table-file.ts';
import { parseWriteBatch } from './files/write-batch.ts';
import { pathOf } from './integrity/check-tables.ts';
import { logKey, parseRecordKey, tableBounds } from './level/level-keys.ts';
import { assemble, chunkKeys, withValue } from './level/level-value.ts';
import { decodeRow, isDamaged, parseRow } from './record-row.ts';

/*
 * What can be read of a damaged store, read without LevelDB: every change in the sound blocks of its tables, in its
 * write-ahead logs, even after a place that cannot be read, and in logs that were set aside. The changes go into a
 * scratch database, which keeps the latest of each key; its records with values are what is saved.
 *
 * A record whose entry in the log is missing or another key's is an older version that came up where the newer one was
 * lost, or was removed: it is counted and left out.
 */

export interface Salvaged {
  readonly records: number;
  /** Versions left out, since a later one of their key, or their value, is lost. */
  readonly incomplete: number;
  /** Tables from which nothing could be read. */
  readonly unreadable: readonly string[];
}

/** Takes each record that could be read. */
export type Save = (record: LiveRecord) => Promise<void>;

type Scratch = ClassicLevel<Buffer, Buffer>;

const sequenceBytes = 8;
const operationsMax = 1000;

/** Saves what can be read of a closed store, and changes nothing in it. @param scratchPath a folder to make and remove */
export async function salvageStore(directory: string, scratchPath: string, save: Save): Promise<Salvaged> {
  await mkdir(scratchPath, { recursive: true });
  const scratch: Scratch = new ClassicLevel(scratchPath, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  try {
    await scratch.open();
    const unreadable = await gatherTables(directory, scratch);
    await gatherLogs(directory, scratch);
    return { ...(await saveRecords(scratch, save)), unreadable };
  } finally {
    await scratch.close();
    await rm(scratchPath, { recursive: true, force: true });
  }
}

async function gatherTables(directory: string, scratch: Scratch): Promise<string[]> {
  const unreadable: string[] = [];
  for (const path of await tablePaths(directory)) {
    try {
      const { size } = await stat(path);
      let entries: TableEntry[] = [];
      for await (const entry of readTable(path, size)) {
        entries.push({ ...entry, key: Buffer.from(entry.key) });
        if (entries.length < operationsMax) continue;
        await keepLatest(scratch, entries);
        entries = [];
      }
      await keepLatest(scratch, entries);
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!missing && !(error instanceof RangeError)) throw error;
      unreadable.push(path);
    }
  }
  return unreadable;
}

/** The tables that the MANIFEST names: others may hold what was removed since. Without a MANIFEST, all. */
async function tablePaths(directory: string): Promise<string[]> {
  const manifest = await readManifest(directory);
  if (manifest !== undefined) return Promise.all(manifest.tables.map((table) => pathOf(directory, table)));
  return (await readdir(directory))
    .filter((name) => /^\d+\.(ldb|sst)$/.test(name))
    .map((name) => join(directory, name));
}

async function gatherLogs(directory: string, scratch: Scratch): Promise<void> {
  const firstLog = (await readManifest(directory))?.firstLog ?? 0;
  const names = await readdir(directory);
  const isAside = (name: string) => name.startsWith('cut-');
  // Logs that were set aside come last: their changes are compared with what was written since.
  for (const name of [...names.filter((each) => !isAside(each)), ...names.filter(isAside)]) {
    const [, number] = /^(?:cut-)?(\d+)\.log$/.exec(name) ?? [];
    if (number === undefined || (!isAside(name) && Number(number) < firstLog)) continue;
    for (const piece of walkLog(await readFile(join(directory, name)))) {
      const batch = piece.kind === 'record' ? parseWriteBatch(piece.bytes) : undefined;
      if (batch === undefined) continue;
      const changes = [...batch.changes].map((change, index) => ({ ...change, sequence: batch.sequence + index }));
      await keepLatest(scratch, isAside(name) ? changes.filter((change) => isOfNow(scratch, change)) : changes);
    }
  }
}

/**
 * False for a change that was set aside, if it deletes, or if its record was written again since. The store went on
 * counting from where it was cut, so the numbers of its changes do not tell that.
 */
function isOfNow(scratch: Scratch, { key, value }: TableEntry): boolean {
  const name = key.toString();
  const held = name.startsWith('r') ? latestOf(scratch, name) : undefined;
  if (held === undefined || value === undefined) return value !== undefined;
  const [found, later] = [value, held].map((row) => parseRow(parseRecordKey(name, 1), row));
  if (found === undefined || later === undefined || isDamaged(found) || isDamaged(later)) return true;
  return found.head.stamp >= later.head.stamp;
}

/** A scratch row is the change's number and the value; a deletion is the number alone, and a put one byte more. */
async function keepLatest(scratch: Scratch, entries: readonly TableEntry[]): Promise<void> {
  const latest = new Map<string, TableEntry>();
  for (const entry of entries) {
    const name = entry.key.toString('latin1');
    if (entry.sequence >= (latest.get(name)?.sequence ?? -1)) latest.set(name, entry);
  }
  const operations = [...latest.values()].flatMap((entry) => {
    const held = scratch.getSync(entry.key);
    if (held !== undefined && Number(held.readBigUInt64BE(0)) > entry.sequence) return [];
    const sequence = Buffer.alloc(sequenceBytes);
    sequence.writeBigUInt64BE(BigInt(entry.sequence));
    const row = entry.value === undefined ? sequence : Buffer.concat([sequence, Buffer.of(1), entry.value]);
    return [{ type: 'put' as const, key: entry.key, value: row }];
  });
  if (operations.length > 0) await scratch.batch(operations);
}

async function saveRecords(scratch: Scratch, save: Save): Promise<{ records: number; incomplete: number }> {
  let records = 0;
  let incomplete = 0;
  const { gte, lt } = tableBounds('r');
  for await (const [name, row] of scratch.iterator({ gte: Buffer.from(gte ?? ''), lt: Buffer.from(lt) })) {
    const bytes = putIn(row);
    if (bytes === undefined) continue;
    const found = readWhole(scratch, name.toString(), bytes);
    if (found === 'incomplete') incomplete++;
    else if (found !== undefined) {
      await save(found);
      records++;
    }
  }
  return { records, incomplete };
}

/** The record of a row; undefined for a deletion. */
function readWhole(scratch: Scratch, name: string, bytes: Buffer): LiveRecord | 'incomplete' | undefined {
  const key = parseRecordKey(name, 1);
  if (isDamaged(parseRow(key, bytes))) return 'incomplete';
  const row = decodeRow(key, bytes);
  const entry = latestOf(scratch, logKey(row.head.position))?.toString();
  if (entry !== mapKey(key.namespace, key.key)) return 'incomplete';
  if (!('checksum' in row)) return undefined;
  if (row.value !== undefined) return withValue(row.head, row.value);
  try {
    const chunks = chunkKeys(key, row.head.stamp, row.head.valueBytes).map((chunk) => latestOf(scratch, chunk));
    return assemble(row, chunks) ?? 'incomplete';
  } catch (error) {
    if (error instanceof MeridianError) return 'incomplete';
    throw error;
  }
}

function latestOf(scratch: Scratch, key: string): Buffer | undefined {
  const row = scratch.getSync(Buffer.from(key));
  return row === undefined ? undefined : putIn(row);
}

function putIn(row: Buffer): Buffer | undefined {
  return row.length > sequenceBytes ? row.subarray(sequenceBytes + 1) : undefined;
}
