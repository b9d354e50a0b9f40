import { readdir } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import { isMeridianError, MeridianError } from '../../model/errors.ts';
import { Acknowledged } from '../files/acknowledged.ts';
import { type BeforeOpening, beforeOpening, commitsMissing } from '../integrity/before-opening.ts';
import { commitsKey, decodeCommitCount } from '../integrity/commit-count.ts';
import { rangesIn } from '../integrity/key-range.ts';
import { forgetPending, settleDamage } from '../integrity/quarantine.ts';
import { damaged } from '../store-errors.ts';
import { storeError } from './level-errors.ts';
import { dataTables, doubtsKey, erasingKey, formatKey, metaTable, tableBounds } from './level-keys.ts';
import { formatRow, formatVersion } from './level-operations.ts';
import { type LevelOptions, levelDefaults } from './level-options.ts';

/** LevelDB as the store uses it: keys are text, rows are bytes. */
export type Database = ClassicLevel<string, Buffer>;

export interface Opened {
  readonly database: Database;
  readonly acknowledged: Acknowledged;
  /** The number of the last commit that it holds. */
  readonly commits: number;
  /** Acknowledged commits that it no longer holds; their loss was accepted. */
  readonly acceptedLoss: number;
  /** It never committed anything, and holds no record, nor a damaged block that may have held one. */
  readonly isNew: boolean;
}

/**
 * Opens the folder, or makes a new store in an absent or empty one, and finishes an erase that was interrupted. What
 * LevelDB would read without looking at checksums is verified before (before-opening.ts).
 * @throws UNAVAILABLE if another process has it open; DATA_LOSS if acknowledged commits are missing, or if it is
 * damaged beyond single records, of a later format, or no store of Meridian's; INTERNAL if the disk fails
 */
export async function openDatabase(directory: string, options: LevelOptions): Promise<Opened> {
  const settings = { ...levelDefaults, ...options };
  await refuseHeadless(directory);
  const found = await beforeOpening(directory, settings).catch((error: unknown) => {
    throw refusal(storeError(error), directory);
  });
  const database = levelOf(directory, settings);
  try {
    await database.open();
    // A block that is blank now may have held the format.
    if (rangesIn('s', found.damaged).length > 0) await database.put(formatKey, formatRow() as Buffer, { sync: true });
    await checkFormat(database, directory);
    if (database.getSync(erasingKey) !== undefined) await eraseData(database);
    else if (found.damaged.length > 0) await settleDamage(database, found.damaged, settings.acceptLoss);
    if (settings.acceptLoss) await database.del(doubtsKey, { sync: true });
    await forgetPending(directory);
    return await checkCommits(database, directory, found, settings.acceptLoss);
  } catch (error) {
    await database.close();
    throw refusal(storeError(error), directory);
  }
}

/** Compares what was acknowledged with what is there, once LevelDB has taken over its logs. */
async function checkCommits(database: Database, directory: string, found: BeforeOpening, acceptLoss: boolean) {
  const held = decodeCommitCount(database.getSync(commitsKey))?.number ?? 0;
  // If the number itself was lost with its block, the logs were whole, and nothing contradicts the claim.
  const commits = rangesIn('s', found.damaged).length > 0 ? Math.max(held, found.acknowledged) : held;
  if (commits < found.acknowledged && !acceptLoss) {
    throw commitsMissing({ from: commits + 1, through: found.acknowledged }, 'its write-ahead log ends before them');
  }
  const acknowledged = Acknowledged.open(directory);
  if (acknowledged.commits > commits) acknowledged.reset(commits);
  const acceptedLoss = Math.max(0, found.acknowledged - commits);
  const isNew = commits === 0 && acceptedLoss === 0 && found.damaged.length === 0 && (await holdsNothing(database));
  return { database, acknowledged, commits, acceptedLoss, isNew };
}

async function holdsNothing(database: Database): Promise<boolean> {
  if (database.getSync(doubtsKey) !== undefined) return false;
  for (const table of dataTables) {
    if ((await database.keys({ ...tableBounds(table), limit: 1 }).all()).length > 0) return false;
  }
  return true;
}

function levelOf(directory: string, settings: Required<LevelOptions>): Database {
  const { cacheBytes, writeBufferBytes, blockBytes, tableBytes, openFilesMax, compression } = settings;
  return new ClassicLevel<string, Buffer>(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    cacheSize: cacheBytes,
    writeBufferSize: writeBufferBytes,
    blockSize: blockBytes,
    maxFileSize: tableBytes,
    maxOpenFiles: openFilesMax,
    compression,
  });
}

/**
 * Removes everything but the format. Named state goes first, synced and with a mark, so that an interrupted erase
 * leaves either all, or a store that the next opening finishes erasing before anybody reads it.
 */
export async function eraseAll(database: Database): Promise<void> {
  const marks = [{ type: 'put' as const, key: erasingKey, value: Buffer.alloc(0) }];
  const names = await database.keys(tableBounds(metaTable)).all();
  await database.batch([...marks, ...names.map((key) => ({ type: 'del' as const, key }))], { sync: true });
  await eraseData(database);
}

async function eraseData(database: Database): Promise<void> {
  for (const table of dataTables) await database.clear(tableBounds(table));
  await database.batch(
    [erasingKey, doubtsKey].map((key) => ({ type: 'del' as const, key })),
    { sync: true },
  );
  // Gives the room back to the disk, and spares later scans a walk over deleted rows.
  await database.compactRange(dataTables[0], tableBounds('v').lt);
}

async function checkFormat(database: Database, directory: string): Promise<void> {
  const found = database.getSync(formatKey);
  if (found === undefined) {
    const [first] = await database.keys({ limit: 1 }).all();
    if (first !== undefined) throw unknownFormat(`${directory} holds a database that is not a store of Meridian`);
    await database.batch([{ type: 'put', key: formatKey, value: formatRow() }], { sync: true });
    return;
  }
  const version = Number(found.toString());
  if (!Number.isInteger(version) || version < 1) throw damaged(`its format version reads ${found.toString('hex')}`);
  if (version < formatVersion) {
    throw unknownFormat(
      `the store in ${directory} has format ${version} of an earlier version of Meridian; this one reads format ${formatVersion} alone`,
    );
  }
  if (version > formatVersion) {
    throw unknownFormat(
      `the store in ${directory} has format ${version}, and this version of Meridian knows formats up to ${formatVersion}: start a later version`,
    );
  }
}

/** LevelDB takes a folder without CURRENT for a new store, and deletes what it finds there. */
async function refuseHeadless(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw refusal(storeError(error), directory);
  });
  if (!names.includes('CURRENT') && names.some((name) => /^\d+\.(ldb|sst|log)$/.test(name))) {
    throw refusal(damaged('its file CURRENT is missing, and tables or logs are there'), directory);
  }
}

function unknownFormat(message: string): MeridianError {
  return new MeridianError('DATA_LOSS', message, { reason: 'store-format-unknown' });
}

/** Adds the folder to the message, if it is not there. */
function refusal(error: MeridianError, directory: string): MeridianError {
  if (!isMeridianError(error) || error.message.includes(directory)) return error;
  return new MeridianError(error.code, `cannot open ${directory}: ${error.message}`, {
    ...error.details,
    cause: error,
  });
}
