import { crc32 } from 'node:zlib';
import { assert } from '../model/assert.ts';
import type { MeridianError } from '../model/errors.ts';
import type { RecordKey } from '../model/key.ts';
import type { LogId, Position } from '../model/position.ts';
import type { Head, LiveHead, Record, Tombstone } from '../model/record.ts';
import type { Stamp } from '../model/stamp.ts';
import type { Damaged } from './store.ts';
import { damaged } from './store-errors.ts';

/*
 * The row of a record:
 *
 *   checksum 4 | flags 1 | stamp 16 | sequence 6 | [log 8] | [expiry 6] | [metadata length 2, metadata]
 *   | the value, or where that is large, its length 4 and checksum 4
 *
 * The position's log is left out if it is the stamp's. LevelDB's binding does not verify block checksums, so rows carry
 * their own (CRC-32 of all that follows): damage is reported, and not served. A record whose row is lost has a row that
 * says so, with its position alone (quarantine.ts).
 */

/** A value of more bytes is kept apart from its row in the embedded store. It is part of the format. */
export const inlineBytesMax = 4096;

const flag = { tombstone: 1, metadata: 2, expiry: 4, apart: 8, log: 16, damaged: 32 } as const;
const flagsAt = 4;
/** Where the 16 bytes of the stamp stand. */
export const stampAt = 5;
const sequenceAt = 21;
const optionalAt = 27;

export function isApart(head: Head): head is LiveHead {
  return head.kind === 'live' && head.valueBytes > inlineBytesMax;
}

/** What a row says. A live record has its value, or what is needed to read and check it. */
export type Row = { readonly head: Tombstone } | LiveRow;

export interface LiveRow {
  readonly head: LiveHead;
  /** Unset if it is kept apart. */
  readonly value: Uint8Array | undefined;
  /** For a value that is kept apart. */
  readonly checksum: number;
}

/** @param inlineMax bytes of a value in the row, at the most; -1 = no value stands there */
export function encodeRow(record: Record, inlineMax = inlineBytesMax): Uint8Array {
  const { stamp, position, expiresAt } = record;
  const metadata = record.kind === 'live' ? record.metadata : undefined;
  const value = record.kind === 'live' ? record.value : undefined;
  const apart = value !== undefined && value.byteLength > inlineMax;
  const foreign = stamp.slice(16) !== position.log;
  const metadataBytes = metadata === undefined ? 0 : Buffer.byteLength(metadata);
  assert(metadataBytes <= 0xffff, `metadata of ${metadataBytes} bytes`);
  const row = Buffer.allocUnsafe(
    optionalAt +
      (foreign ? 8 : 0) +
      (expiresAt === undefined ? 0 : 6) +
      (metadata === undefined ? 0 : 2 + metadataBytes) +
      (apart ? 8 : (value?.byteLength ?? 0)),
  );
  row[flagsAt] =
    (value === undefined ? flag.tombstone : 0) |
    (metadata === undefined ? 0 : flag.metadata) |
    (expiresAt === undefined ? 0 : flag.expiry) |
    (apart ? flag.apart : 0) |
    (foreign ? flag.log : 0);
  row.write(stamp, stampAt, 16, 'hex');
  row.writeUIntBE(position.sequence, sequenceAt, 6);
  let at = optionalAt;
  if (foreign) at += row.write(position.log, at, 8, 'hex');
  if (expiresAt !== undefined) at = row.writeUIntBE(expiresAt, at, 6);
  if (metadata !== undefined) {
    at = row.writeUInt16BE(metadataBytes, at);
    at += row.write(metadata, at, 'utf8');
  }
  if (value !== undefined && apart) row.writeUInt32BE(crc32(value), row.writeUInt32BE(value.byteLength, at));
  else if (value !== undefined) row.set(value, at);
  row.writeUInt32BE(crc32(row.subarray(flagsAt)), 0);
  return row;
}

/** Takes the place of a record's row that was lost. */
export function encodeDamagedRow({ log, sequence }: Position): Uint8Array {
  const row = Buffer.alloc(optionalAt + 8);
  row[flagsAt] = flag.damaged;
  row.writeUIntBE(sequence, sequenceAt, 6);
  row.write(log, optionalAt, 8, 'hex');
  row.writeUInt32BE(crc32(row.subarray(flagsAt)), 0);
  return row;
}

export function isDamaged(row: Row | Damaged): row is Damaged {
  return !('head' in row);
}

export function damagedRecord({ namespace, key }: RecordKey): MeridianError {
  return damaged(
    `the record of ${JSON.stringify(key)} in namespace ${namespace} is lost; writing or deleting it heals it`,
  );
}

/** @throws DATA_LOSS if the row is not as it was written */
export function decodeRow(key: RecordKey, bytes: Buffer): Row {
  const row = parseRow(key, bytes);
  if (isDamaged(row)) throw damagedRecord(key);
  return row;
}

export function parseRow({ namespace, key }: RecordKey, row: Buffer): Row | Damaged {
  if (!isWhole(row)) return { namespace, key };
  const flags = row[flagsAt] ?? 0;
  if ((flags & flag.damaged) !== 0) return { namespace, key, position: positionOfLost(row) };
  const stamp = row.toString('hex', stampAt, sequenceAt) as Stamp;
  let at = optionalAt;
  let log = stamp.slice(16) as LogId;
  if ((flags & flag.log) !== 0) {
    log = row.toString('hex', at, at + 8) as LogId;
    at += 8;
  }
  let expiresAt: number | undefined;
  if ((flags & flag.expiry) !== 0) {
    expiresAt = row.readUIntBE(at, 6);
    at += 6;
  }
  const position = { log, sequence: row.readUIntBE(sequenceAt, 6) };
  // Absent fields are left out, and present ones set one by one: a spread here would halve the speed of scans.
  if ((flags & flag.tombstone) !== 0) {
    const head: Mutable<Tombstone> = { kind: 'tombstone', namespace, key, stamp, position };
    if (expiresAt !== undefined) head.expiresAt = expiresAt;
    return { head };
  }
  let metadata: string | undefined;
  if ((flags & flag.metadata) !== 0) {
    const end = at + 2 + row.readUInt16BE(at);
    metadata = row.toString('utf8', at + 2, end);
    at = end;
  }
  const apart = (flags & flag.apart) !== 0;
  const valueBytes = apart ? row.readUInt32BE(at) : row.byteLength - at;
  const head: Mutable<LiveHead> = { kind: 'live', namespace, key, stamp, position, valueBytes };
  if (metadata !== undefined) head.metadata = metadata;
  if (expiresAt !== undefined) head.expiresAt = expiresAt;
  return {
    head,
    value: apart ? undefined : row.subarray(at),
    checksum: apart ? row.readUInt32BE(at + 4) : 0,
  };
}

function isWhole(row: Buffer): boolean {
  if (row.byteLength < optionalAt || row.readUInt32BE(0) !== crc32(row.subarray(flagsAt))) return false;
  return optionalEnd(row) <= row.byteLength;
}

/** Where all but the value ends; beyond the row if the row is cut short. */
function optionalEnd(row: Buffer): number {
  const flags = row[flagsAt] ?? 0;
  if ((flags & flag.damaged) !== 0) return optionalAt + 8;
  let end = optionalAt + ((flags & flag.log) === 0 ? 0 : 8) + ((flags & flag.expiry) === 0 ? 0 : 6);
  if ((flags & flag.tombstone) !== 0) return end;
  if ((flags & flag.metadata) !== 0) end += 2 + (end + 2 <= row.byteLength ? row.readUInt16BE(end) : 0);
  return end + ((flags & flag.apart) === 0 ? 0 : 8);
}

function positionOfLost(row: Buffer): Position {
  const log = row.toString('hex', optionalAt, optionalAt + 8) as LogId;
  return { log, sequence: row.readUIntBE(sequenceAt, 6) };
}

type Mutable<T> = { -readonly [field in keyof T]: T[field] };
