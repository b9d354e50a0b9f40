import { mapKey } from '../../model/key.ts';
import type { Head, Record } from '../../model/record.ts';
import { type CommitCount, commitsKey, encodeCommitCount } from '../integrity/commit-count.ts';
import { encodeDamagedRow, encodeRow, inlineBytesMax, isApart } from '../record-row.ts';
import type { CommitBatch, Damaged, LostRecord } from '../store.ts';
import { damageKey, endedKey, logKey, metaKey, recordKey } from './level-keys.ts';
import { chunkKeys, chunksOf } from './level-value.ts';

/** A LevelDB batch that is being put together; its operations take effect in their order. */
export interface LevelBatch {
  put(key: string, value: Uint8Array): unknown;
  del(key: string): unknown;
}

const nothing = new Uint8Array(0);

/** The version of this layout, kept under `formatKey`. A store with a later one is not opened. */
export const formatVersion = 2;

export function formatRow(): Uint8Array {
  return Buffer.from(String(formatVersion));
}

/**
 * Adds all that a commit changes. Removals come first, so that puts may take their place.
 * @param healed damaged records that this batch overwrites or discards
 */
export function addOperations(
  batch: LevelBatch,
  { puts, removals, lost = [], meta }: CommitBatch,
  count: CommitCount,
  healed: readonly Damaged[],
): void {
  batch.put(commitsKey, encodeCommitCount(count));
  for (const damaged of healed) {
    if (damaged.position !== undefined) batch.del(logKey(damaged.position));
    batch.del(damageKey(damaged));
    batch.del(recordKey(damaged));
  }
  for (const { held } of puts) if (held !== undefined) removeTraces(batch, held);
  for (const head of removals) {
    removeTraces(batch, head);
    batch.del(recordKey(head));
  }
  for (const each of lost) putLost(batch, each);
  for (const { record } of puts) putRecord(batch, record);
  for (const [name, value] of meta) {
    if (value === undefined) batch.del(metaKey(name));
    else batch.put(metaKey(name), value);
  }
}

/** Removes what stands elsewhere for a record: its place in the log, in the index of ends, its chunks. */
function removeTraces(batch: LevelBatch, held: Head): void {
  batch.del(logKey(held.position));
  const ended = endedKey(held);
  if (ended !== undefined) batch.del(ended);
  if (isApart(held)) for (const key of chunkKeys(held, held.stamp, held.valueBytes)) batch.del(key);
}

function putLost(batch: LevelBatch, { held, ...lost }: LostRecord): void {
  if (held !== undefined) removeTraces(batch, held);
  batch.put(recordKey(lost), encodeDamagedRow(lost.position));
  batch.put(logKey(lost.position), Buffer.from(mapKey(lost.namespace, lost.key)));
  batch.put(damageKey(lost), nothing);
}

function putRecord(batch: LevelBatch, record: Record): void {
  batch.put(recordKey(record), encodeRow(record));
  batch.put(logKey(record.position), Buffer.from(mapKey(record.namespace, record.key)));
  const ended = endedKey(record);
  if (ended !== undefined) batch.put(ended, nothing);
  if (record.kind === 'tombstone' || record.value.byteLength <= inlineBytesMax) return;
  const chunks = chunksOf(record);
  chunkKeys(record, record.stamp, record.value.byteLength).forEach((key, index) => {
    const chunk = chunks[index];
    if (chunk !== undefined) batch.put(key, chunk);
  });
}
