import { MeridianError } from '../model/errors.ts';
import type { RecordKey } from '../model/key.ts';
import type { OriginId } from '../model/position.ts';
import type { Head, Record } from '../model/record.ts';
import type { Stamp } from '../model/stamp.ts';
import type { Stored } from './store.ts';

/** Bytes of the largest value that is kept in its record's row. */
export const inlineBytesMax = 4096;

/**
 * A record's row, after its key:
 *
 *     flags 1 · stamp 16 · origin 8 · sequence 8 · [expiry 8] · [metadata length 2 · metadata] · [value length 4 · value]
 *
 * flags: 1 live, 2 has expiry, 4 has metadata, 8 the value stands here. The value's length stands in every live row.
 */
const flag = { live: 1, expiry: 2, metadata: 4, inline: 8 } as const;
const fixedBytes = 33;

export function encodeRecord(record: Record): Buffer {
  const live = record.kind === 'live';
  const metadata = live && record.metadata !== undefined ? Buffer.from(record.metadata) : undefined;
  const inline = live && record.value.byteLength <= inlineBytesMax;
  const bytes =
    fixedBytes +
    (record.expiresAt === undefined ? 0 : 8) +
    (metadata === undefined ? 0 : 2 + metadata.length) +
    (live ? 4 : 0) +
    (inline ? record.value.byteLength : 0);
  const row = Buffer.allocUnsafe(bytes);
  row[0] =
    (live ? flag.live : 0) |
    (record.expiresAt === undefined ? 0 : flag.expiry) |
    (metadata === undefined ? 0 : flag.metadata) |
    (inline ? flag.inline : 0);
  row.write(record.stamp, 1, 'hex');
  row.write(record.position.origin, 17, 'hex');
  row.writeBigUInt64BE(BigInt(record.position.sequence), 25);
  let at = fixedBytes;
  if (record.expiresAt !== undefined) at = row.writeBigUInt64BE(BigInt(record.expiresAt), at);
  if (metadata !== undefined) {
    at = row.writeUInt16BE(metadata.length, at);
    at += metadata.copy(row, at);
  }
  if (live) at = row.writeUInt32BE(record.value.byteLength, at);
  if (inline) row.set(record.value, at);
  return row;
}

/** The head, with its value where the row holds it. @throws DATA_LOSS */
export function decodeStored({ namespace, key }: RecordKey, row: Buffer): Stored {
  if (row.length < fixedBytes) {
    throw new MeridianError('DATA_LOSS', `the record of key ${key} is damaged`, { reason: 'bad-record' });
  }
  const flags = row[0] ?? 0;
  const written = {
    namespace,
    key,
    stamp: row.toString('hex', 1, 17) as Stamp,
    position: { origin: row.toString('hex', 17, 25) as OriginId, sequence: Number(row.readBigUInt64BE(25)) },
  };
  let at = fixedBytes;
  let expiry: { readonly expiresAt?: number } = {};
  if (flags & flag.expiry) {
    expiry = { expiresAt: Number(row.readBigUInt64BE(at)) };
    at += 8;
  }
  if (!(flags & flag.live)) return { kind: 'tombstone', ...written, ...expiry };
  let metadata: { readonly metadata?: string } = {};
  if (flags & flag.metadata) {
    const length = row.readUInt16BE(at);
    metadata = { metadata: row.toString('utf8', at + 2, at + 2 + length) };
    at += 2 + length;
  }
  const valueBytes = row.readUInt32BE(at);
  const value = flags & flag.inline ? { value: row.subarray(at + 4, at + 4 + valueBytes) } : {};
  return { kind: 'live', ...written, ...expiry, ...metadata, valueBytes, ...value };
}

export function headIn(stored: Stored): Head {
  if (stored.kind === 'tombstone' || stored.value === undefined) return stored;
  const { value: _value, ...head } = stored;
  return head;
}
