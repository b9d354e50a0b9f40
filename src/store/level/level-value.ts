import { crc32 } from 'node:zlib';
import type { RecordKey } from '../../model/key.ts';
import type { LiveHead, LiveRecord } from '../../model/record.ts';
import type { Stamp } from '../../model/stamp.ts';
import type { LiveRow } from '../record-row.ts';
import { damaged } from '../store-errors.ts';
import { chunkKey } from './level-keys.ts';

/** Bytes of a chunk of a large value; the last one may be shorter. It is part of the format. */
export const chunkBytes = 512 * 1024;

/** The keys under which a value of this size is kept apart. */
export function chunkKeys(key: RecordKey, stamp: Stamp, valueBytes: number): string[] {
  return Array.from({ length: Math.ceil(valueBytes / chunkBytes) }, (_, chunk) => chunkKey(key, stamp, chunk));
}

export function chunksOf({ value }: LiveRecord): Uint8Array[] {
  return Array.from({ length: Math.ceil(value.byteLength / chunkBytes) }, (_, chunk) =>
    value.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes),
  );
}

/**
 * The record with its value, put together from its chunks; undefined if a chunk is missing, which happens if the record
 * was overwritten since its row was read. @throws DATA_LOSS if the chunks are not as they were written
 */
export function assemble(
  { head, checksum }: LiveRow,
  chunks: readonly (Uint8Array | undefined)[],
): LiveRecord | undefined {
  const present = chunks.filter((chunk) => chunk !== undefined);
  if (present.length < chunks.length) return undefined;
  const [first] = present;
  const value = present.length === 1 && first !== undefined ? first : Buffer.concat(present);
  if (value.byteLength !== head.valueBytes || crc32(value) !== checksum) {
    throw damaged(`the value of ${JSON.stringify(head.key)} in namespace ${head.namespace} fails its checksum`);
  }
  return withValue(head, value);
}

export function withValue({ valueBytes: _, ...head }: LiveHead, value: Uint8Array): LiveRecord {
  return { ...head, value };
}
