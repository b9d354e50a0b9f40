import { createHash } from 'node:crypto';
import type { Position } from '../model/position.ts';
import type { Mark, RangeDigest } from '../model/range-digest.ts';
import type { LiveRecord } from '../model/record.ts';
import type { Snapshot } from '../store/store.ts';
import { addRecord, liveAt } from './record-hash.ts';
import type { Taken } from './stretch.ts';

/** Of what is held here: with the place of its write. */
export interface HeldMark extends Mark {
  readonly position: Position;
}

export interface StretchDigest extends Pick<RangeDigest, 'records' | 'digest'> {
  readonly marks: readonly HeldMark[];
}

/** Of the live records that were taken, as they are in the snapshot that they were taken from. */
export async function digestStretch(
  { stored }: Taken,
  snapshot: Snapshot,
  second: number,
  signal: AbortSignal,
): Promise<StretchDigest> {
  const hash = createHash('sha256');
  const marks: HeldMark[] = [];
  for (const each of stored) {
    signal.throwIfAborted();
    const record = await liveAt(second, each, snapshot);
    if (record === undefined) continue;
    const mark = markOf(record);
    hash.update(mark.hash);
    marks.push(mark);
  }
  return { records: marks.length, digest: hash.digest('hex'), marks };
}

export function markOf(record: LiveRecord): HeldMark {
  const { key, position } = record;
  const hash = createHash('sha256');
  addRecord(hash, record);
  return { key, position, hash: hash.digest('hex').slice(0, 32) };
}
