import type { Change } from '../../model/feed.ts';
import type { NamespaceId } from '../../model/namespace.ts';
import { decodeLog, decodeNamespaceId, decodeStamp } from './record-codec.ts';
import { varintBytes, type WireReader, type WireWriter } from './wire-format.ts';

/*
 * The Change of feed.proto by hand: a new edge takes millions of them, and the objects in between cost more than the
 * records. The loader of .proto files reads what this writes as its own, and the other way round.
 */

const tag = {
  namespace: 0x0a,
  key: 0x12,
  stamp: 0x1a,
  position: 0x22,
  expiresAt: 0x28,
  value: 0x32,
  tombstone: 0x38,
  announcement: 0x40,
  metadata: 0x4a,
  valueBytes: 0x50,
  log: 0x0a,
  sequence: 0x10,
} as const;

const stampLength = 32;
const idLength = 32;
const logLength = 16;
/** Tags, lengths and contents of namespace, stamp and position, except the sequence. */
const fixedBytes = 2 + idLength + (2 + stampLength) + 2 + (2 + logLength + 1);

/** The sizes of one change, counted before it is written. */
export interface ChangeSize {
  readonly keyBytes: number;
  readonly metadataBytes: number;
  /** Bytes of the value that go with the change; the rest of it follows in pieces. */
  readonly partBytes: number;
  /** Bytes of the whole content. */
  readonly bytes: number;
}

export function sizeOf(change: Change, partBytesMax: number): ChangeSize {
  const keyBytes = Buffer.byteLength(change.key);
  const metadata = change.kind === 'tombstone' ? undefined : change.metadata;
  const metadataBytes = metadata === undefined ? 0 : Buffer.byteLength(metadata);
  const partBytes = change.kind === 'live' ? Math.min(change.value.byteLength, partBytesMax) : 0;
  let bytes = fixedBytes + varintBytes(change.position.sequence) + field(keyBytes);
  if (change.expiresAt !== undefined) bytes += 1 + varintBytes(change.expiresAt);
  bytes += change.kind === 'live' ? field(partBytes) : 2;
  if (metadata !== undefined) bytes += field(metadataBytes);
  if (change.kind !== 'tombstone') bytes += 1 + varintBytes(valueBytesOf(change));
  return { keyBytes, metadataBytes, partBytes, bytes };
}

export function writeChange(
  writer: WireWriter,
  change: Change,
  { keyBytes, metadataBytes, partBytes }: ChangeSize,
): void {
  const { sequence } = change.position;
  text(writer, tag.namespace, change.namespace);
  writer.head(tag.key, keyBytes);
  writer.utf8(change.key, keyBytes);
  text(writer, tag.stamp, change.stamp);
  writer.head(tag.position, 2 + logLength + 1 + varintBytes(sequence));
  text(writer, tag.log, change.position.log);
  writer.head(tag.sequence, sequence);
  if (change.expiresAt !== undefined) writer.head(tag.expiresAt, change.expiresAt);
  if (change.kind === 'tombstone') {
    writer.head(tag.tombstone, 1);
    return;
  }
  if (change.kind === 'live') {
    writer.head(tag.value, partBytes);
    writer.bytes(partBytes === change.value.byteLength ? change.value : change.value.subarray(0, partBytes));
  } else writer.head(tag.announcement, 1);
  if (change.metadata !== undefined) {
    writer.head(tag.metadata, metadataBytes);
    writer.utf8(change.metadata, metadataBytes);
  }
  writer.head(tag.valueBytes, valueBytesOf(change));
}

/**
 * Reads one change up to `end`. The value shares the reader's buffer; `missing` bytes of it follow in pieces.
 * @throws INVALID_ARGUMENT if an id, a version or a position is invalid
 */
export function readChange(reader: WireReader, end: number): { readonly change: Change; readonly missing: number } {
  let [namespace, key, stamp, log] = ['', '', '', ''];
  let [sequence, valueBytes] = [0, 0];
  let expiresAt: number | undefined;
  let metadata: string | undefined;
  let value: Uint8Array | undefined;
  let kind: Change['kind'] = 'live';
  while (reader.at < end) {
    const read = reader.varint();
    if (read === tag.namespace) namespace = reader.ascii();
    else if (read === tag.key) key = reader.text();
    else if (read === tag.stamp) stamp = reader.ascii();
    else if (read === tag.position) {
      for (const positionEnd = reader.content(); reader.at < positionEnd; ) {
        const inner = reader.varint();
        if (inner === tag.log) log = reader.ascii();
        else if (inner === tag.sequence) sequence = reader.varint();
        else reader.skip(inner);
      }
    } else if (read === tag.expiresAt) expiresAt = reader.varint();
    else if (read === tag.value) value = reader.bytes();
    else if (read === tag.tombstone) kind = reader.varint() === 0 ? kind : 'tombstone';
    else if (read === tag.announcement) kind = reader.varint() === 0 ? kind : 'announcement';
    else if (read === tag.metadata) metadata = reader.text();
    else if (read === tag.valueBytes) valueBytes = reader.varint();
    else reader.skip(read);
  }
  const position = { log: decodeLog(log), sequence };
  const written = { namespace: knownNamespace(namespace), key, stamp: decodeStamp(stamp), position };
  const expiry = expiresAt === undefined ? undefined : { expiresAt };
  if (kind === 'tombstone') return { change: { kind, ...written, ...expiry }, missing: 0 };
  const described = { ...written, ...(metadata === undefined ? undefined : { metadata }), ...expiry };
  if (kind === 'announcement') return { change: { kind, ...described, valueBytes }, missing: 0 };
  const part = value ?? nothing;
  return { change: { kind, ...described, value: part }, missing: valueBytes - part.byteLength };
}

const nothing = Buffer.alloc(0);

let lastNamespace = '';

/** Checked once for many changes of one namespace in a row; they then share the text as well. */
function knownNamespace(text: string): NamespaceId {
  if (text !== lastNamespace) lastNamespace = decodeNamespaceId(text);
  return lastNamespace as NamespaceId;
}

function valueBytesOf(change: Exclude<Change, { kind: 'tombstone' }>): number {
  return change.kind === 'live' ? change.value.byteLength : change.valueBytes;
}

/** Tag, length and content. */
function field(contentBytes: number): number {
  return 1 + varintBytes(contentBytes) + contentBytes;
}

/** Ids, logs and stamps: shorter than 128, and ASCII. */
function text(writer: WireWriter, of: number, content: string): void {
  writer.byte(of);
  writer.byte(content.length);
  writer.ascii(content);
}
