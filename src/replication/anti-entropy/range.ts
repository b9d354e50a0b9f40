import { createHash } from 'node:crypto';
import { compareKeys } from '../../model/key.ts';
import type { Position } from '../../model/position.ts';
import type { DigestedRange, KeyHash, RangeDigest } from '../../model/range-digest.ts';
import type { LiveRecord } from '../../model/record.ts';
import type { Snapshot, Stored } from '../../store/store.ts';
import { addRecord, liveAt } from './record-hash.ts';

/** The bounds of one look at a range, whichever is reached first. A look takes at least one record. */
export interface RangeBounds {
  /** Tombstones are counted too. */
  readonly recordsMax: number;
  /** Bytes of values. */
  readonly bytesMax: number;
}

export interface TakenRange {
  readonly stored: readonly Stored[];
  /** The range that was taken. Where the bounds cut it short, it ends at the last record taken. */
  readonly range: DigestedRange;
}

/** The hash of a record held here, with the position of its write. */
export interface HeldHash extends KeyHash {
  readonly position: Position;
}

export interface HeldDigest extends Pick<RangeDigest, 'records' | 'digest'> {
  readonly hashes: readonly HeldHash[];
}

/** The first records of a range, as many as the bounds allow. Damaged records are skipped: their keys then differ. */
export async function takeRange(snapshot: Snapshot, range: DigestedRange, bounds: RangeBounds): Promise<TakenRange> {
  const { namespace, prefix, after, through } = range;
  const stored: Stored[] = [];
  let bytes = 0;
  const from = { namespace, prefix, ...(after === undefined ? {} : { after: { namespace, key: after } }) };
  for await (const page of snapshot.records(from, () => {})) {
    for (const record of page) {
      if (through !== undefined && compareKeys(record.key, through) > 0) return { stored, range };
      const last = stored.at(-1);
      if (last !== undefined && (stored.length >= bounds.recordsMax || bytes >= bounds.bytesMax)) {
        return { stored, range: { ...range, through: last.key } };
      }
      stored.push(record);
      bytes += record.kind === 'live' ? record.valueBytes : 0;
    }
  }
  return { stored, range };
}

/** The digest of the live records that were taken, read from the snapshot that they were taken from. */
export async function digestTaken(
  { stored }: TakenRange,
  snapshot: Snapshot,
  second: number,
  signal: AbortSignal,
): Promise<HeldDigest> {
  const hash = createHash('sha256');
  const hashes: HeldHash[] = [];
  for (const each of stored) {
    signal.throwIfAborted();
    const record = await liveAt(second, each, snapshot);
    if (record === undefined || record === 'damaged') continue;
    const held = hashOf(record);
    hash.update(held.hash);
    hashes.push(held);
  }
  return { records: hashes.length, digest: hash.digest('hex'), hashes };
}

function hashOf(record: LiveRecord): HeldHash {
  const { key, position } = record;
  const hash = createHash('sha256');
  addRecord(hash, record);
  return { key, position, hash: hash.digest('hex').slice(0, 32) };
}
