import type { Provenance, Source } from '../../model/key-value.ts';
import { emptySession } from '../../model/session.ts';
import type { Bound } from '../../model/staleness.ts';
import { emptyVector } from '../../model/version-vector.ts';
import { readSession, readVector, sessionBytes, vectorBytes, writeSession, writeVector } from './position-fields.ts';
import { decodeLog, decodeNamespaceId, malformed } from './record-codec.ts';
import { fieldBytes, type WireReader, type WireWriter } from './wire-format.ts';

/*
 * Where answers come from, with the session to go on with, by hand: each message of a pipeline has at least one, and a
 * message that answers a single get has little else.
 *
 *     0a provenance { 08 source 12 bound { 09 staleness 12 root } 18 past 22 covered 2a responder 32 namespace }  12 session
 */

const sharedTags = { provenance: 0x0a, session: 0x12 } as const;
const tags = { source: 0x08, bound: 0x12, past: 0x18, covered: 0x22, responder: 0x2a, namespace: 0x32 } as const;
const boundTags = { staleness: 0x09, root: 0x12 } as const;

/** In the order of their numbers; 0 is unspecified. */
const sources: readonly Source[] = ['origin', 'copy', 'cache'];

/** Bytes of its content, without tag and length; so are the sizes of the other parts below. */
export function sharedBytes(provenance: Provenance): number {
  return fieldBytes(provenanceBytes(provenance)) + fieldBytes(sessionBytes(provenance.session));
}

export function writeShared(writer: WireWriter, provenance: Provenance): void {
  writer.head(sharedTags.provenance, provenanceBytes(provenance));
  writeProvenance(writer, provenance);
  writer.head(sharedTags.session, sessionBytes(provenance.session));
  writeSession(writer, provenance.session);
}

/** Reads from the length on. @throws INVALID_ARGUMENT if it cannot be read */
export function readShared(reader: WireReader): Provenance {
  const end = reader.content();
  let provenance: Omit<Provenance, 'session'> | undefined;
  let session = emptySession;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === sharedTags.provenance) provenance = readProvenance(reader);
    else if (tag === sharedTags.session) session = readSession(reader);
    else reader.skip(tag);
  }
  reader.closes(end);
  if (provenance === undefined) throw malformed('the provenance of an answer', undefined);
  return { ...provenance, session };
}

function provenanceBytes({ bound, past, covered, responder, namespace }: Provenance): number {
  return (
    2 +
    (bound === undefined ? 0 : fieldBytes(boundBytes(bound))) +
    (past ? 2 : 0) +
    fieldBytes(vectorBytes(covered)) +
    (responder === '' ? 0 : fieldBytes(Buffer.byteLength(responder))) +
    fieldBytes(namespace.length)
  );
}

function boundBytes({ boundMs, root }: Bound): number {
  return (boundMs === 0 ? 0 : 9) + fieldBytes(root.length);
}

function writeProvenance(writer: WireWriter, { source, bound, past, covered, responder, namespace }: Provenance): void {
  writer.head(tags.source, sources.indexOf(source) + 1);
  if (bound !== undefined) {
    writer.head(tags.bound, boundBytes(bound));
    if (bound.boundMs !== 0) {
      writer.byte(boundTags.staleness);
      writer.double(bound.boundMs);
    }
    writer.head(boundTags.root, bound.root.length);
    writer.ascii(bound.root);
  }
  if (past) writer.head(tags.past, 1);
  writer.head(tags.covered, vectorBytes(covered));
  writeVector(writer, covered);
  if (responder !== '') {
    const responderBytes = Buffer.byteLength(responder);
    writer.head(tags.responder, responderBytes);
    writer.utf8(responder, responderBytes);
  }
  writer.head(tags.namespace, namespace.length);
  writer.ascii(namespace);
}

function readProvenance(reader: WireReader): Omit<Provenance, 'session'> {
  const end = reader.content();
  let source: Source | undefined;
  let bound: Bound | undefined;
  let past = false;
  let covered = emptyVector;
  let [responder, namespace] = ['', ''];
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === tags.source) source = sources[reader.varint() - 1];
    else if (tag === tags.bound) bound = readBound(reader);
    else if (tag === tags.past) past = reader.varint() !== 0;
    else if (tag === tags.covered) covered = readVector(reader);
    else if (tag === tags.responder) responder = reader.text();
    else if (tag === tags.namespace) namespace = reader.ascii();
    else reader.skip(tag);
  }
  reader.closes(end);
  if (source === undefined) throw malformed('the provenance of an answer', source);
  const rest = { namespace: decodeNamespaceId(namespace), source, past, covered, responder };
  return bound === undefined ? rest : { ...rest, bound };
}

function readBound(reader: WireReader): Bound {
  const end = reader.content();
  let boundMs = 0;
  let root = '';
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === boundTags.staleness) boundMs = reader.double();
    else if (tag === boundTags.root) root = reader.ascii();
    else reader.skip(tag);
  }
  reader.closes(end);
  return { boundMs, root: decodeLog(root) };
}
