import { limits } from '../../model/limits.ts';
import type { LogId, Position } from '../../model/position.ts';
import { emptySession, type Session } from '../../model/session.ts';
import { bottomStamp } from '../../model/stamp.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import {
  decodeLog,
  decodeStamp,
  nodeVectorComponentsMax,
  tooManyComponents,
  type WirePosition,
} from './record-codec.ts';
import { fieldBytes, varintBytes, type WireReader, type WireWriter } from './wire-format.ts';

/*
 * Positions, vectors and sessions by hand:
 *
 *     position, and each component of a vector    0a log 10 sequence
 *     vector                                      0a component …
 *     session                                     0a vector 12 stamp
 */

const positionTags = { log: 0x0a, sequence: 0x10 } as const;
const componentTag = 0x0a;
const sessionTags = { vector: 0x0a, stamp: 0x12 } as const;

/** Bytes of its content, without tag and length. */
export function positionBytes({ log, sequence }: Position): number {
  return 2 + log.length + (sequence > 0 ? 1 + varintBytes(sequence) : 0);
}

export function writePosition(writer: WireWriter, { log, sequence }: Position): void {
  writer.head(positionTags.log, log.length);
  writer.ascii(log);
  if (sequence > 0) writer.head(positionTags.sequence, sequence);
}

/** Reads from the length on, as the functions below. Unchecked (see `decodePosition`). @throws INVALID_ARGUMENT */
export function readPosition(reader: WireReader): WirePosition {
  const end = reader.content();
  let log = '';
  let sequence = 0;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === positionTags.log) log = reader.ascii();
    else if (tag === positionTags.sequence) sequence = reader.varint();
    else reader.skip(tag);
  }
  reader.closes(end);
  return { log, sequence };
}

export function vectorBytes(vector: VersionVector): number {
  let bytes = 0;
  for (const [log, sequence] of vector) bytes += fieldBytes(positionBytes({ log, sequence }));
  return bytes;
}

export function writeVector(writer: WireWriter, vector: VersionVector): void {
  for (const [log, sequence] of vector) {
    const component = { log, sequence };
    writer.head(componentTag, positionBytes(component));
    writePosition(writer, component);
  }
}

export function readVector(reader: WireReader, componentsMax = nodeVectorComponentsMax): VersionVector {
  const end = reader.content();
  const vector = new Map<LogId, number>();
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag !== componentTag) {
      reader.skip(tag);
      continue;
    }
    const { log, sequence } = readPosition(reader);
    vector.set(decodeLog(log), sequence);
    if (vector.size > componentsMax) throw tooManyComponents(componentsMax, vector.size);
  }
  reader.closes(end);
  return vector;
}

export function sessionBytes({ vector, stamp }: Session): number {
  return fieldBytes(vectorBytes(vector)) + (stamp === bottomStamp ? 0 : fieldBytes(stamp.length));
}

export function writeSession(writer: WireWriter, { vector, stamp }: Session): void {
  writer.head(sessionTags.vector, vectorBytes(vector));
  writeVector(writer, vector);
  if (stamp === bottomStamp) return;
  writer.head(sessionTags.stamp, stamp.length);
  writer.ascii(stamp);
}

export function readSession(reader: WireReader): Session {
  const end = reader.content();
  let { vector, stamp } = emptySession;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === sessionTags.vector) vector = readVector(reader, limits.vectorComponentsMax);
    else if (tag === sessionTags.stamp) {
      const text = reader.ascii();
      stamp = text === '' ? bottomStamp : decodeStamp(text);
    } else reader.skip(tag);
  }
  reader.closes(end);
  return { vector, stamp };
}
