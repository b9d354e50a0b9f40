import { copyFile, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { walkLog } from '../files/log-file.ts';
import { readManifest } from '../files/manifest.ts';
import { parseWriteBatch, type WriteBatch } from '../files/write-batch.ts';
import { type CommitCount, commitsKey, decodeCommitCount } from './commit-count.ts';

/*
 * What is not yet in tables stands in LevelDB's write-ahead logs. At an opening LevelDB takes from them what it can
 * read, and says nothing of the rest: one flipped bit loses all that was acknowledged after it. So the logs are read
 * here first. A place that cannot be read (a fault: also a missing log, or a batch whose number does not follow) is one
 * of two things:
 *
 *   commits   1 2 3 4 x          4 was synced, x was not: a *torn tail*, as a power cut leaves it. Nothing is missing.
 *   commits   1 2 x 4 5          4 says that 3 was synced when it was made: *damage*. Nothing is opened.
 *   commits   1 2 x . .          the file ACKNOWLEDGED says 5: damage.
 *   commits   1 2 x 4            neither says that 3 was synced: pages of a torn tail reached the disk out of order.
 *                                4 must go as well, for a store shows a prefix of its commits: the log is *cut*.
 *
 * If loss is accepted, damage is cut too: what is left is what the store held at an earlier moment, which the rest of
 * the system knows how to mend, and never a mix of moments. A whole copy of a log that is cut stays in the folder,
 * under a name that LevelDB leaves alone.
 */

export interface LogsCheck {
  /** The last commit before the fault, or of all; undefined if no log holds any. */
  readonly last: number | undefined;
  /** Synced commits after the fault: first and last, as far as is known. */
  readonly missing?: { readonly from: number; readonly through: number };
  /** Where the store would be cut; unset if nothing readable comes after the fault. */
  readonly cut?: LogPlace;
  readonly fault?: LogPlace;
}

export interface LogPlace {
  readonly file: string;
  readonly at: number;
}

type Found =
  | { readonly kind: 'batch'; readonly place: LogPlace; readonly count: CommitCount | undefined }
  | { readonly kind: 'fault'; readonly place: LogPlace };

/** Reads the logs of a closed store. @param acknowledged commits that were synced, by the file ACKNOWLEDGED */
export async function checkLogs(directory: string, acknowledged: number): Promise<LogsCheck> {
  const found = await readLogs(directory);
  const faultIndex = found.findIndex(({ kind }) => kind === 'fault');
  const numbers = (list: readonly Found[]) =>
    list.flatMap((each) => (each.kind === 'batch' && each.count !== undefined ? [each.count] : []));
  const last = numbers(faultIndex < 0 ? found : found.slice(0, faultIndex)).at(-1)?.number;
  const fault = found[faultIndex]?.place;
  if (fault === undefined) return { last };
  const behind = numbers(found.slice(faultIndex));
  const synced = Math.max(acknowledged, ...behind.map((count) => count.acknowledged));
  const next = behind[0]?.number;
  const cut = found.slice(faultIndex).some(({ kind }) => kind === 'batch') ? { cut: fault } : {};
  // Without a commit before the fault, those in it may be in tables: what comes after it decides, or the opening.
  const from = last === undefined ? next : last + 1;
  const missing = from !== undefined && synced >= from ? { missing: { from, through: synced } } : {};
  return { last, fault, ...missing, ...cut };
}

/** Ends the store's logs at that place. Later logs are set aside whole. */
export async function cutLogs(directory: string, place: LogPlace): Promise<void> {
  const names = await logNames(directory);
  for (const name of names.filter((each) => numberOf(each) > numberOf(place.file))) {
    await rename(join(directory, name), join(directory, `cut-${name}`));
  }
  if (!names.includes(place.file)) return;
  const path = join(directory, place.file);
  await copyFile(path, join(directory, `cut-${place.file}`));
  const file = await open(path, 'r+');
  try {
    await file.truncate(place.at);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Batches and faults of all logs that are not tables yet, in their order. */
async function readLogs(directory: string): Promise<Found[]> {
  const manifest = await readManifest(directory);
  if (manifest === undefined) return [];
  const { firstLog, previousLog } = manifest;
  const names = (await logNames(directory)).filter((name) => {
    const number = numberOf(name);
    return number >= firstLog || number === previousLog;
  });
  const found: Found[] = [];
  let nextSequence: number | undefined;
  // LevelDB begins another log when one is full: a first log that is missing or empty before it has lost its batches.
  let hollow: LogPlace | undefined;
  if (!names.some((name) => numberOf(name) === firstLog)) hollow = { file: nameOf(firstLog), at: 0 };
  for (const name of names) {
    const pieces = walkLog(await readFile(join(directory, name)));
    if (pieces.length === 0) hollow ??= { file: name, at: 0 };
    for (const piece of pieces) {
      const place = { file: name, at: piece.at };
      const batch = piece.kind === 'record' ? parseWriteBatch(piece.bytes) : undefined;
      if (batch === undefined || (nextSequence !== undefined && batch.sequence !== nextSequence)) {
        found.push({ kind: 'fault', place });
      } else if (nextSequence === undefined && hollow !== undefined) {
        found.push({ kind: 'fault', place: hollow });
      }
      if (batch === undefined) continue;
      nextSequence = batch.sequence + batch.count;
      found.push({ kind: 'batch', place, count: countOf(batch) });
    }
  }
  return found;
}

/** Undefined for a batch that is no commit, such as one of LevelDB's own upkeep. */
function countOf({ changes }: WriteBatch): CommitCount | undefined {
  try {
    for (const { key, value } of changes) {
      return key.toString('latin1') === commitsKey ? decodeCommitCount(value) : undefined;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

async function logNames(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => /^\d+\.log$/.test(name));
  return names.sort((a, b) => numberOf(a) - numberOf(b));
}

function nameOf(number: number): string {
  return `${String(number).padStart(6, '0')}.log`;
}

function numberOf(name: string): number {
  return Number.parseInt(name, 10);
}
