import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type LiveTable, readManifest } from '../files/manifest.ts';
import { blankBlocks, checkTable, type DamagedBlock } from '../files/table-file.ts';
import type { KeyRange } from './key-range.ts';

export interface DamagedTable {
  readonly path: string;
  readonly blocks: readonly DamagedBlock[];
  /** Why nothing can be found in it. */
  readonly unreadable?: string;
}

export interface TablesCheck {
  readonly tables: number;
  readonly bytes: number;
  readonly damaged: readonly DamagedTable[];
  /** False if some tables were left out, for lack of time. */
  readonly complete: boolean;
}

/** Verifies the tables of a store, the newest first. @param goOn asked before each table, with the bytes read so far */
export async function checkTables(directory: string, goOn: (bytes: number) => boolean): Promise<TablesCheck> {
  const tables = (await readManifest(directory))?.tables ?? [];
  const damaged: DamagedTable[] = [];
  let bytes = 0;
  let count = 0;
  for (const table of [...tables].sort((a, b) => b.number - a.number)) {
    if (!goOn(bytes)) return { tables: count, bytes, damaged, complete: false };
    const path = await pathOf(directory, table);
    const check = await checkTable(path, table.bytes, table.smallest);
    bytes += check.bytes;
    count++;
    const { damaged: blocks, unreadable } = check;
    if (unreadable !== undefined) damaged.push({ path, blocks, unreadable });
    else if (blocks.length > 0) damaged.push({ path, blocks });
  }
  return { tables: count, bytes, damaged, complete: true };
}

export async function blankTables(damaged: readonly DamagedTable[]): Promise<void> {
  for (const { path, blocks } of damaged) await blankBlocks(path, blocks);
}

export function rangesOf(damaged: readonly DamagedTable[]): KeyRange[] {
  return damaged.flatMap(({ blocks }) => blocks.flatMap(({ keys }) => (keys === undefined ? [] : [keys])));
}

/** Tables of old stores end in sst. */
export async function pathOf(directory: string, { number }: LiveTable): Promise<string> {
  const path = join(directory, String(number).padStart(6, '0'));
  const named = await stat(`${path}.sst`).then(
    () => 'sst',
    () => 'ldb',
  );
  return `${path}.${named}`;
}
