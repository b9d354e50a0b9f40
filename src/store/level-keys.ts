import type { RecordKey } from '../model/key.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { OriginId, Position } from '../model/position.ts';
import type { Stamp } from '../model/stamp.ts';

/**
 * The one ordered key space. Each kind of row starts with a letter; fixed-width parts stand before the user's key, which
 * is raw UTF-8, so that byte order is record order and no escape is needed:
 *
 *     e <seconds 8> <namespace 16> <key>               live records that expire
 *     g <seconds 8> <namespace 16> <key>               tombstones, by the second in which they ended
 *     l <origin 8> <sequence 8>                        → record key
 *     m <name>                                         named state
 *     r <namespace 16> <key>                           records
 *     v <namespace 16> <key> <stamp 16> <chunk 4>      large values; the stamp and chunk are the last 20 bytes
 */
export const rowKinds = { live: 0x65, tombstone: 0x67, log: 0x6c, meta: 0x6d, record: 0x72, value: 0x76 } as const;

export type RowKind = keyof typeof rowKinds;

export function recordRow({ namespace, key }: RecordKey): Buffer {
  return withKey(rowKinds.record, undefined, namespace, key);
}

/** The first row behind every row of this kind. */
export function endOf(kind: RowKind): Buffer {
  return Buffer.from([rowKinds[kind] + 1]);
}

export function startOf(kind: RowKind): Buffer {
  return Buffer.from([rowKinds[kind]]);
}

export function endedRow(kind: 'live' | 'tombstone', seconds: number, { namespace, key }: RecordKey): Buffer {
  return withKey(rowKinds[kind], seconds, namespace, key);
}

/** Behind every row of that kind which ended at or before this second. */
export function endedThrough(kind: 'live' | 'tombstone', seconds: number): Buffer {
  const row = Buffer.alloc(9);
  row[0] = rowKinds[kind];
  row.writeBigUInt64BE(BigInt(seconds) + 1n, 1);
  return row;
}

export function recordKeyOfEnded(row: Buffer): RecordKey {
  return recordKeyIn(row, 9);
}

export function recordKeyOfRecord(row: Buffer): RecordKey {
  return recordKeyIn(row, 1);
}

export function logRow({ origin, sequence }: Position): Buffer {
  const row = Buffer.alloc(17);
  row[0] = rowKinds.log;
  row.write(origin, 1, 'hex');
  row.writeBigUInt64BE(BigInt(sequence), 9);
  return row;
}

export function originOfLog(row: Buffer): OriginId {
  return row.toString('hex', 1, 9) as OriginId;
}

export function metaRow(name: string): Buffer {
  return Buffer.concat([startOf('meta'), Buffer.from(name)]);
}

export function valueRow({ namespace, key }: RecordKey, stamp: Stamp, chunk: number): Buffer {
  const keyBytes = Buffer.byteLength(key);
  const row = Buffer.alloc(1 + 16 + keyBytes + 20);
  row[0] = rowKinds.value;
  row.write(namespace, 1, 'hex');
  row.write(key, 17, 'utf8');
  row.write(stamp, 17 + keyBytes, 'hex');
  row.writeUInt32BE(chunk, 17 + keyBytes + 16);
  return row;
}

/** The first row behind all rows that start with these bytes; undefined where they are all 0xff. */
export function behindPrefix(prefix: Buffer): Buffer | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const behind = Buffer.from(prefix.subarray(0, length));
  behind[length - 1] = (behind[length - 1] ?? 0) + 1;
  return behind;
}

function withKey(kind: number, seconds: number | undefined, namespace: NamespaceId, key: string): Buffer {
  const at = seconds === undefined ? 1 : 9;
  const row = Buffer.alloc(at + 16 + Buffer.byteLength(key));
  row[0] = kind;
  if (seconds !== undefined) row.writeBigUInt64BE(BigInt(seconds), 1);
  row.write(namespace, at, 'hex');
  row.write(key, at + 16, 'utf8');
  return row;
}

function recordKeyIn(row: Buffer, at: number): RecordKey {
  return { namespace: row.toString('hex', at, at + 16) as NamespaceId, key: row.toString('utf8', at + 16) };
}
