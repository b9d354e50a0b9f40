import { type Durability, durabilities, type WriteAnswer, type Written } from '../../model/key-value.ts';
import { emptySession } from '../../model/session.ts';
import { emptyVector } from '../../model/version-vector.ts';
import {
  positionBytes,
  readPosition,
  readSession,
  readVector,
  sessionBytes,
  vectorBytes,
  writePosition,
  writeSession,
  writeVector,
} from './position-fields.ts';
import { decodeMemberId, decodeNamespaceId, decodePosition, decodeStamp, type WirePosition } from './record-codec.ts';
import { fieldBytes, varintBytes, WireReader, WireWriter } from './wire-format.ts';

/*
 * WriteResponse by hand: each write waits for one, and a batch's has a part for each of its mutations.
 *
 *     0a written { 0a version 12 position 18 expiry } … 10 durability 1a covered 22 namespace 2a origin 32 session
 */

const tags = { written: 0x0a, durability: 0x10, covered: 0x1a, namespace: 0x22, origin: 0x2a, session: 0x32 } as const;
const writtenTags = { version: 0x0a, position: 0x12, expiresAt: 0x18 } as const;

export function encodeWriteAnswer(answer: WriteAnswer): Buffer {
  const { written, durability, covered, namespace, origin, session } = answer;
  const writtenBytes = written.map(bytesOf);
  const [coveredBytes, carriedBytes] = [vectorBytes(covered), sessionBytes(session)];
  const writer = new WireWriter(
    writtenBytes.reduce((sum, bytes) => sum + fieldBytes(bytes), 0) +
      2 +
      fieldBytes(coveredBytes) +
      fieldBytes(namespace.length) +
      fieldBytes(origin.length) +
      fieldBytes(carriedBytes),
  );
  written.forEach((one, index) => {
    writer.head(tags.written, writtenBytes[index] ?? 0);
    writeWritten(writer, one);
  });
  writer.head(tags.durability, durabilities.indexOf(durability) + 1); // 0 is unspecified.
  writer.head(tags.covered, coveredBytes);
  writeVector(writer, covered);
  writer.head(tags.namespace, namespace.length);
  writer.ascii(namespace);
  writer.head(tags.origin, origin.length);
  writer.ascii(origin);
  writer.head(tags.session, carriedBytes);
  writeSession(writer, session);
  return writer.written();
}

function bytesOf({ stamp, position, expiresAt }: Written): number {
  const expiry = expiresAt === undefined ? 0 : 1 + varintBytes(expiresAt);
  return fieldBytes(stamp.length) + fieldBytes(positionBytes(position)) + expiry;
}

function writeWritten(writer: WireWriter, { stamp, position, expiresAt }: Written): void {
  writer.head(writtenTags.version, stamp.length);
  writer.ascii(stamp);
  writer.head(writtenTags.position, positionBytes(position));
  writePosition(writer, position);
  if (expiresAt !== undefined) writer.head(writtenTags.expiresAt, expiresAt);
}

/** @throws INVALID_ARGUMENT if it cannot be read */
export function decodeWriteAnswer(bytes: Buffer): WriteAnswer {
  const reader = new WireReader(bytes);
  const written: Written[] = [];
  // Of a level that only a later version knows, it is known only that the write was synced.
  let durability: Durability = 'local';
  let covered = emptyVector;
  let [namespace, origin] = ['', ''];
  let session = emptySession;
  while (reader.at < bytes.length) {
    const tag = reader.varint();
    if (tag === tags.written) written.push(readWritten(reader));
    else if (tag === tags.durability) durability = durabilities[reader.varint() - 1] ?? 'local';
    else if (tag === tags.covered) covered = readVector(reader);
    else if (tag === tags.namespace) namespace = reader.ascii();
    else if (tag === tags.origin) origin = reader.ascii();
    else if (tag === tags.session) session = readSession(reader);
    else reader.skip(tag);
  }
  return {
    namespace: decodeNamespaceId(namespace),
    origin: decodeMemberId(origin),
    written,
    durability,
    covered,
    session,
  };
}

function readWritten(reader: WireReader): Written {
  const end = reader.content();
  let version = '';
  let position: WirePosition | null = null;
  let expiresAt: number | undefined;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === writtenTags.version) version = reader.ascii();
    else if (tag === writtenTags.position) position = readPosition(reader);
    else if (tag === writtenTags.expiresAt) expiresAt = reader.varint();
    else reader.skip(tag);
  }
  reader.closes(end);
  const place = { stamp: decodeStamp(version), position: decodePosition(position) };
  return expiresAt === undefined ? place : { ...place, expiresAt };
}
