import { statfsSync } from 'node:fs';
import { MeridianError } from '../../model/errors.ts';
import { registryNamespace } from '../../model/namespace.ts';
import type { CommitBatch } from '../store.ts';

/*
 * A disk that fills up makes LevelDB fail in the middle of a batch, and then LevelDB cannot be opened again either,
 * since that takes room. So a part of the disk is kept in reserve. Once it is touched, puts of values are refused
 * before they begin. Deletions, which make room, go on through most of it. LevelDB's compactions have the rest.
 */

/** The part of the reserve that is left to LevelDB alone. */
const forCompactionsPart = 1 / 4;
const retryAfterMs = 1000;

/** @throws RESOURCE_EXHAUSTED (`disk-full`) if there is no room for this batch; never without a reserve */
export function checkRoom(directory: string, batch: CommitBatch, reserveBytes: number): void {
  if (reserveBytes === 0) return;
  const { puts } = batch;
  let bytes = 0;
  for (const { record } of puts) bytes += record.kind === 'live' ? record.value.byteLength : 0;
  const least = addsValue(batch) ? reserveBytes + bytes : reserveBytes * forCompactionsPart;
  const free = freeBytes(directory);
  if (free < least) throw diskFull(free, least);
}

/** Checks that LevelDB has the room that an opening takes. @throws RESOURCE_EXHAUSTED (`disk-full`) */
export function checkRoomToOpen(directory: string, reserveBytes: number): void {
  const least = reserveBytes * forCompactionsPart;
  const free = freeBytes(directory);
  if (free < least) throw diskFull(free, least);
}

/** Registry records are small, and a deletion may need one: the first commit of an opening registers its log. */
export function addsValue({ puts }: CommitBatch): boolean {
  return puts.some(({ record }) => record.kind === 'live' && record.namespace !== registryNamespace);
}

/** Whether the reserve is touched now. */
export function isFull(directory: string, reserveBytes: number): boolean {
  return freeBytes(directory) < reserveBytes;
}

/** If it is unknown, the commit itself finds out. */
function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function diskFull(free: number, least: number): MeridianError {
  return new MeridianError(
    'RESOURCE_EXHAUSTED',
    `the disk is full: ${free} bytes are free and ${Math.ceil(least)} have to be; deletions make room`,
    { reason: 'disk-full', limit: Math.ceil(least), seen: free, retryAfterMs },
  );
}
