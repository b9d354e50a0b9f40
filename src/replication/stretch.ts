import { compareKeys } from '../model/key.ts';
import type { Stretch } from '../model/range-digest.ts';
import type { Snapshot, Stored } from '../store/store.ts';

/** What one look at a stretch takes in, whichever is reached first; one record at the least. */
export interface StretchBounds {
  /** Tombstones are counted too. */
  readonly recordsMax: number;
  /** Bytes of values. */
  readonly bytesMax: number;
}

export interface Taken {
  readonly stored: readonly Stored[];
  /** The stretch that was taken in: it ends before the one meant, at its last record, where the bounds ended it. */
  readonly stretch: Stretch;
}

/** The first records of a stretch, as many as the bounds let in. */
export async function takeStretch(snapshot: Snapshot, stretch: Stretch, bounds: StretchBounds): Promise<Taken> {
  const { namespace, prefix, after, through } = stretch;
  const stored: Stored[] = [];
  let bytes = 0;
  const range = { namespace, prefix, ...(after === undefined ? {} : { after: { namespace, key: after } }) };
  for await (const page of snapshot.records(range)) {
    for (const record of page) {
      if (through !== undefined && compareKeys(record.key, through) > 0) return { stored, stretch };
      const last = stored.at(-1);
      if (last !== undefined && (stored.length >= bounds.recordsMax || bytes >= bounds.bytesMax)) {
        return { stored, stretch: { ...stretch, through: last.key } };
      }
      stored.push(record);
      bytes += record.kind === 'live' ? record.valueBytes : 0;
    }
  }
  return { stored, stretch };
}
