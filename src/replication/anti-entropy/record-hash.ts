import type { Hash } from 'node:crypto';
import { isReadable, type LiveRecord } from '../../model/record.ts';
import type { Snapshot } from '../../store/store.ts';
import { type StoredOrDamaged, unlessDamaged } from '../with-damaged.ts';

/**
 * A digest is made of a live record's key, stamp, metadata, expiry and value. The position is left out, since it
 * differs where a record was adopted. Each field follows its length, so that no two records give the same bytes.
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

/** The whole record; undefined for a tombstone, and for a record that has expired by the second, dropped or not. */
export async function liveAt(
  second: number,
  stored: StoredOrDamaged,
  snapshot: Snapshot,
): Promise<LiveRecord | 'damaged' | undefined> {
  if (stored.kind === 'damaged') return 'damaged';
  if (!isReadable(stored, second * 1000)) return undefined;
  const { value, valueBytes: _valueBytes, ...head } = stored;
  if (value !== undefined) return { ...head, value };
  // The value may be damaged although the row is sound.
  const record = await snapshot.read(stored).catch(unlessDamaged);
  return record === 'damaged' || record?.kind === 'live' ? record : undefined;
}
