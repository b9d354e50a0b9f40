import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteReader } from './byte-reader.ts';
import { walkLog } from './log-file.ts';

export interface LiveTable {
  readonly number: number;
  readonly bytes: number;
  /** The user keys between which all keys of the table lie, both included. */
  readonly smallest: Buffer;
  readonly largest: Buffer;
}

export interface Manifest {
  readonly tables: readonly LiveTable[];
  /** Write-ahead logs of lower numbers are tables already, except `previousLog`. */
  readonly firstLog: number;
  readonly previousLog: number;
}

/** Tags of the changes that a MANIFEST lists (db/version_edit.cc of LevelDB). */
const tags = { comparator: 1, log: 2, nextFile: 3, sequence: 4, compacted: 5, deleted: 6, added: 7, previousLog: 9 };

/** LevelDB adds 8 bytes, sequence and kind, to each key. */
export const internalSuffixBytes = 8;

/**
 * The files that a store consists of, as far as its MANIFEST can be read; undefined if there is none. LevelDB checks
 * that file itself and refuses a damaged one.
 */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  try {
    const name = (await readFile(join(directory, 'CURRENT'), 'latin1')).trim();
    if (!/^MANIFEST-\d+$/.test(name)) return undefined;
    return collect(await readFile(join(directory, name)));
  } catch (error) {
    if (error instanceof RangeError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function collect(file: Buffer): Manifest {
  const tables = new Map<number, LiveTable>();
  const found = { firstLog: 0, previousLog: 0 };
  for (const piece of walkLog(file)) {
    if (piece.kind === 'record') applyEdit(new ByteReader(piece.bytes), tables, found);
  }
  return { tables: [...tables.values()], ...found };
}

function applyEdit(
  reader: ByteReader,
  tables: Map<number, LiveTable>,
  found: { firstLog: number; previousLog: number },
): void {
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === tags.comparator) reader.text();
    else if (tag === tags.log) found.firstLog = reader.varint();
    else if (tag === tags.previousLog) found.previousLog = reader.varint();
    else if (tag === tags.nextFile || tag === tags.sequence) reader.varint();
    else if (tag === tags.compacted) {
      reader.varint();
      reader.text();
    } else if (tag === tags.deleted) {
      reader.varint();
      tables.delete(reader.varint());
    } else if (tag === tags.added) {
      reader.varint();
      const number = reader.varint();
      const table = { number, bytes: reader.varint(), smallest: userKey(reader), largest: userKey(reader) };
      tables.set(number, table);
    } else throw new RangeError(`a MANIFEST does not have the tag ${tag}`);
  }
}

function userKey(reader: ByteReader): Buffer {
  return reader.text().subarray(0, -internalSuffixBytes);
}
