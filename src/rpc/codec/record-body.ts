import type { Record } from '../../model/record.ts';
import { positionBytes, readPosition, writePosition } from './position-fields.ts';
import { decodePosition, decodeStamp, type WirePosition } from './record-codec.ts';
import { varintBytes, type WireReader, WireWriter } from './wire-format.ts';

/*
 * What a GetResponse says of its record, by hand: the same bytes as the loader of .proto files makes. All but the value
 * is the same for every reader, so it is encoded once and kept beside the record for as long as the record lives:
 *
 *     08 01 | 12 length value | 1a metadata, 20 expiry, 2a version, 32 position, 40 bytes of the value
 *     found   copied each time  kept
 */

const tags = {
  found: 0x08,
  value: 0x12,
  metadata: 0x1a,
  expiresAt: 0x20,
  version: 0x2a,
  position: 0x32,
  valueBytes: 0x40,
};

const nothing: Buffer = Buffer.alloc(0);

/** A record as a GetResponse has it. */
export interface RecordBody {
  readonly record: Record;
  /** What follows the value. */
  readonly rest: Buffer;
  /** Bytes of all of it. */
  readonly bytes: number;
}

/**
 * The property in which a record keeps its body: it is not enumerated, and copies do not take it over. A WeakMap with
 * as many entries as a cache holds stops the process for most of a second when it grows, and after a collection of
 * garbage.
 */
const kept = Symbol('body');

export class RecordBodies {
  /** Records encoded so far: a test counts them. */
  encodes = 0;

  of(record: Record & { readonly [kept]?: RecordBody }): RecordBody {
    const known = record[kept];
    if (known !== undefined) return known;
    const rest = encodeRest(record);
    this.encodes++;
    const body: RecordBody = { record, rest, bytes: valueFieldBytes(record) + rest.length };
    Object.defineProperty(record, kept, { value: body });
    return body;
  }
}

/** Bytes of the fields that say that there is a value, and which. */
function valueFieldBytes(record: Record): number {
  if (record.kind === 'tombstone') return 0;
  const { byteLength } = record.value;
  return 2 + (byteLength === 0 ? 0 : 1 + varintBytes(byteLength) + byteLength);
}

export function writeRecordBody(writer: WireWriter, { record, rest }: RecordBody): void {
  if (record.kind === 'live') {
    writer.byte(tags.found);
    writer.byte(1);
    if (record.value.byteLength > 0) {
      writer.head(tags.value, record.value.byteLength);
      writer.bytes(record.value);
    }
  }
  writer.bytes(rest);
}

function encodeRest(record: Record): Buffer {
  const { stamp, position, expiresAt } = record;
  const metadata = record.kind === 'live' ? record.metadata : undefined;
  const metadataBytes = metadata === undefined ? 0 : Buffer.byteLength(metadata);
  const writer = new WireWriter(metadataBytes + positionBytes(position) + stamp.length + 64);
  if (metadata !== undefined) {
    writer.head(tags.metadata, metadataBytes);
    writer.utf8(metadata, metadataBytes);
  }
  if (expiresAt !== undefined) {
    writer.head(tags.expiresAt, expiresAt);
  }
  writer.head(tags.version, stamp.length);
  writer.ascii(stamp);
  writer.head(tags.position, positionBytes(position));
  writePosition(writer, position);
  if (record.kind === 'live' && record.value.byteLength > 0) {
    writer.head(tags.valueBytes, record.value.byteLength);
  }
  // In memory of its own: a part of a larger buffer would keep all of that buffer.
  return Buffer.from(writer.written());
}

/** What a GetResponse says of a key's record. */
export function readRecordBody(
  reader: WireReader,
  end: number,
  of: Pick<Record, 'namespace' | 'key'>,
): Record | undefined {
  let found = false;
  let value: Uint8Array = nothing;
  let metadata: string | undefined;
  let expiresAt: number | undefined;
  let version = '';
  let position: WirePosition | null = null;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === tags.found) found = reader.varint() !== 0;
    else if (tag === tags.value) value = ownBytes(reader.bytes());
    else if (tag === tags.metadata) metadata = reader.text();
    else if (tag === tags.expiresAt) expiresAt = reader.varint();
    else if (tag === tags.version) version = reader.ascii();
    else if (tag === tags.position) position = readPosition(reader);
    else reader.skip(tag);
  }
  if (version === '') return undefined;
  const { namespace, key } = of;
  const written = { namespace, key, stamp: decodeStamp(version), position: decodePosition(position) };
  const expiry = expiresAt === undefined ? undefined : { expiresAt };
  if (!found) return { kind: 'tombstone', ...written, ...expiry };
  return { kind: 'live', ...written, value, ...(metadata === undefined ? undefined : { metadata }), ...expiry };
}

/** A record may be kept for long. A small value that shared a message's buffer would keep all of the message. */
function ownBytes(value: Buffer): Buffer {
  if (2 * value.byteLength >= value.buffer.byteLength) return value;
  const own = Buffer.allocUnsafeSlow(value.byteLength);
  own.set(value);
  return own;
}

/** The value alone, or undefined if none was found. It shares the reader's buffer. */
export function readRecordValue(reader: WireReader, end: number): Buffer | undefined {
  let found = false;
  let value = nothing;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === tags.found) found = reader.varint() !== 0;
    else if (tag === tags.value) value = reader.bytes();
    else reader.skip(tag);
  }
  return found ? value : undefined;
}
