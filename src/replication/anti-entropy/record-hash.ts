import type { Hash } from 'node:crypto';
import { isReadable, type LiveRecord } from '../../model/record.ts';
import type { Snapshot } from '../../store/store.ts';
import { type StoredOrDamaged, unlessDamaged } from '../with-damaged.ts';

/**
 * What digests are made of: key, stamp, metadata, expiry and value of a live record, and not the position, which differs
 * where a record was adopted. Each field stands behind its length, so that no two records read alike.
 */
export function addRecord(hash: Hash, { key, stamp, value, metadata, expiresAt }: LiveRecord): void {
  for (const field of [key, stamp, metadata ?? '', expiresAt?.toString() ?? '', value]) {
    const bytes = typeof field === 'string' ? Buffer.from(field) : field;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    hash.update(length);
    hash.update(bytes);
  }
}

/** The record whole; undefined where it is a tombstone or has expired by the second, wherever its value still is. */
export async function liveAt(
  second: number,
  stored: StoredOrDamaged,
  snapshot: Snapshot,
): Promise<LiveRecord | 'damaged' | undefined> {
  if (stored.kind === 'damaged') return 'damaged';
  if (!isReadable(stored, second * 1000)) return undefined;
  const { value, valueBytes: _valueBytes, ...head } = stored;
  if (value !== undefined) return { ...head, value };
  // The value may be damaged where the row is sound.
  const record = await snapshot.read(stored).catch(unlessDamaged);
  return record === 'damaged' || record?.kind === 'live' ? record : undefined;
}
