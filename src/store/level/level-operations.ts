import { mapKey } from '../../model/key.ts';
import { type Head, headOf, type Record } from '../../model/record.ts';
import type { CommitBatch } from '../store.ts';
import { endedKey, formatKey, logKey, metaKey, recordKey } from './level-keys.ts';
import { encodeRow, isApart } from './level-row.ts';
import { chunkKeys, chunksOf } from './level-value.ts';

/** One operation of a LevelDB batch; they take effect in their order. */
export type LevelOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

const nothing = new Uint8Array(0);

/** The version of this layout, kept under `formatKey`. A store with a later one is not opened. */
export const formatVersion = 1;

export function formatRow(): Uint8Array {
  return Buffer.from(String(formatVersion));
}

/** All that a commit changes. What goes comes first, so that what comes may take its place. */
export function operationsOf({ puts, removals, meta, sync }: CommitBatch): LevelOperation[] {
  const operations: LevelOperation[] = [];
  for (const { held } of puts) if (held !== undefined) removeTraces(held, operations);
  for (const head of removals) {
    removeTraces(head, operations);
    operations.push({ type: 'del', key: recordKey(head) });
  }
  for (const { record } of puts) putRecord(record, operations);
  for (const [name, value] of meta) {
    const key = metaKey(name);
    operations.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value });
  }
  // LevelDB writes, and so syncs, nothing for an empty batch; yet earlier batches are to be synced with this one.
  if (sync && operations.length === 0) operations.push({ type: 'put', key: formatKey, value: formatRow() });
  return operations;
}

/** What stands elsewhere for a record that goes: its place in the log, in the index of ends, its chunks. */
function removeTraces(held: Head, operations: LevelOperation[]): void {
  operations.push({ type: 'del', key: logKey(held.position) });
  const ended = endedKey(held);
  if (ended !== undefined) operations.push({ type: 'del', key: ended });
  if (isApart(held)) {
    for (const key of chunkKeys(held, held.stamp, held.valueBytes)) operations.push({ type: 'del', key });
  }
}

function putRecord(record: Record, operations: LevelOperation[]): void {
  const head = headOf(record);
  operations.push({ type: 'put', key: recordKey(record), value: encodeRow(record) });
  const logged = Buffer.from(mapKey(record.namespace, record.key));
  operations.push({ type: 'put', key: logKey(record.position), value: logged });
  const ended = endedKey(head);
  if (ended !== undefined) operations.push({ type: 'put', key: ended, value: nothing });
  if (record.kind !== 'live' || !isApart(head)) return;
  const chunks = chunksOf(record);
  chunkKeys(record, record.stamp, record.value.byteLength).forEach((key, index) => {
    const value = chunks[index];
    if (value !== undefined) operations.push({ type: 'put', key, value });
  });
}
