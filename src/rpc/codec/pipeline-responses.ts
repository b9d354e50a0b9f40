import type { MeridianError } from '../../model/errors.ts';
import type { GetAnswer, Provenance, WriteAnswer } from '../../model/key-value.ts';
import { joinSessions, type Session } from '../../model/session.ts';
import type { Deserialize, Serialize } from './pipeline-requests.ts';
import { readShared, sharedBytes, writeShared } from './provenance-fields.ts';
import { type RecordBody, readRecordBody, readRecordValue, writeRecordBody } from './record-body.ts';
import { malformed } from './record-codec.ts';
import { fieldBytes, varintBytes, WireReader, WireWriter } from './wire-format.ts';
import { decodeWriteAnswer, encodeWriteAnswer } from './write-answer.ts';

/*
 * The responses of Pipeline, read and written by hand, except failures: they go through the loader of .proto files, a
 * part of a message at a time.
 *
 *     0a .. provenance     12 .. answer 08 id 10 provenance 1a record     12 .. answer 08 id 22 written
 */

const tags = { provenance: 0x0a, answer: 0x12 } as const;
const answerTags = { id: 0x08, provenance: 0x10, record: 0x1a, written: 0x22 } as const;

/** Milliseconds by which bounds of answers may differ and be shared: the larger one is true for both. */
const boundMsApart = 1;
/** The newest provenances, with which an answer is compared; an older one is sent again. */
const comparedMax = 8;

export interface AnsweredGet {
  readonly id: number;
  readonly answer: GetAnswer;
  /** The body of the answer's record, if it has one. */
  readonly body: RecordBody | undefined;
  /** The terms it was asked with: a session that goes on from one user's must not go into another's. */
  readonly terms: object;
}

/** What several answers of a message have in common. */
interface Shared {
  readonly terms: object;
  /** Its session is the join of all of theirs. */
  provenance: Provenance;
}

/** One message of these answers. */
export function encodeGets(gets: readonly AnsweredGet[]): Buffer {
  const shared: Shared[] = [];
  const places = gets.map((get) => placeOf(get, shared));
  const heads = shared.map(({ provenance }) => sharedBytes(provenance));
  const headBytes = heads.reduce((sum, bytes) => sum + fieldBytes(bytes), 0);
  const writer = new WireWriter(gets.reduce((sum, { body }) => sum + (body?.bytes ?? 0) + answerBytesMax, headBytes));
  shared.forEach(({ provenance }, index) => {
    writer.head(tags.provenance, heads[index] ?? 0);
    writeShared(writer, provenance);
  });
  gets.forEach(({ id, body }, index) => {
    const place = places[index] ?? 0;
    const recordBytes = body?.bytes ?? 0;
    const placeBytes = place > 0 ? 1 + varintBytes(place) : 0;
    writer.head(tags.answer, (id > 0 ? 1 + varintBytes(id) : 0) + placeBytes + fieldBytes(recordBytes));
    if (id > 0) {
      writer.head(answerTags.id, id);
    }
    if (place > 0) {
      writer.head(answerTags.provenance, place);
    }
    writer.head(answerTags.record, recordBytes);
    if (body !== undefined) writeRecordBody(writer, body);
  });
  return writer.written();
}

/** Bytes of an answer to a get besides its record, at the most. */
export const answerBytesMax = 32;

export function encodeWritten(id: number, answer: WriteAnswer): Buffer {
  const written = encodeWriteAnswer(answer);
  const bytes = (id > 0 ? 1 + varintBytes(id) : 0) + fieldBytes(written.length);
  const writer = new WireWriter(fieldBytes(bytes));
  writer.head(tags.answer, bytes);
  if (id > 0) writer.head(answerTags.id, id);
  writer.head(answerTags.written, written.length);
  writer.bytes(written);
  return writer.written();
}

/** `code` is gRPC's. */
export function encodeFailure(id: number, code: number, failed: MeridianError, serialize: Serialize): Buffer {
  const { message, details } = failed;
  const { retryAfterMs, ...rest } = details;
  const delay = retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) };
  return serialize({ answers: [{ id, error: { code, message, detail: { ...rest, ...delay, code: failed.code } } }] });
}

/** The index of the answer's provenance in the message. */
function placeOf({ answer, terms }: AnsweredGet, all: Shared[]): number {
  for (let place = all.length - 1; place >= Math.max(0, all.length - comparedMax); place--) {
    const shared = all[place];
    if (shared?.terms !== terms || !isLike(answer, shared.provenance)) continue;
    const { provenance } = shared;
    const session = joinSessions(provenance.session, answer.session);
    const isOlder = (answer.bound?.boundMs ?? 0) > (provenance.bound?.boundMs ?? 0);
    if (isOlder || session !== provenance.session) {
      shared.provenance = { ...(isOlder ? answer : provenance), session };
    }
    return place;
  }
  return all.push({ terms, provenance: answer }) - 1;
}

function isLike(a: Provenance, b: Provenance): boolean {
  return (
    a.namespace === b.namespace &&
    a.source === b.source &&
    a.past === b.past &&
    a.covered === b.covered &&
    a.responder === b.responder &&
    a.bound?.root === b.bound?.root &&
    Math.abs((a.bound?.boundMs ?? 0) - (b.bound?.boundMs ?? 0)) <= boundMsApart
  );
}

/** A get that a caller waits for. */
export interface WantedGet {
  readonly key: string;
  /** Only the value is wanted: no record is made. */
  readonly isOfValue: boolean;
}

/** Hears what became of operations, at a client. */
export interface AnswerTaker {
  /** Undefined if nobody waits for it any more. */
  wanted(id: number): WantedGet | undefined;
  got(id: number, answer: GetAnswer): void;
  /** Undefined = absent. It shares the message's buffer. */
  gotValue(id: number, value: Buffer | undefined, session: Session): void;
  written(id: number, answer: WriteAnswer): void;
  failed(id: number, error: WireFailure): void;
}

export interface WireFailure {
  readonly code: number;
  readonly message: string;
  readonly detail: {
    readonly reason: string;
    readonly limit?: number;
    readonly seen?: number;
    readonly versionFound?: string;
    readonly retryAfterMs?: number;
    readonly code: string;
  } | null;
}

interface WireAnswer {
  readonly id: number;
  readonly error?: WireFailure | null;
}

/** Hands each answer of a message over. @throws INVALID_ARGUMENT if it cannot be read */
export function takeAnswers(bytes: Buffer, deserialize: Deserialize, taker: AnswerTaker): void {
  const reader = new WireReader(bytes);
  const provenances: Provenance[] = [];
  while (reader.at < bytes.length) {
    const begin = reader.at;
    const tag = reader.varint();
    if (tag === tags.provenance) provenances.push(readShared(reader));
    else if (tag === tags.answer) {
      const end = reader.content();
      if (!takeSuccess(reader, end, provenances, taker)) takeFailure(bytes.subarray(begin, end), deserialize, taker);
      reader.at = end;
    } else reader.skip(tag);
  }
}

/** False if it is neither an answer to a get nor one to a write. */
function takeSuccess(reader: WireReader, end: number, provenances: readonly Provenance[], taker: AnswerTaker): boolean {
  let id = 0;
  let place = 0;
  let begin: number | undefined;
  let recordEnd = 0;
  let written: Buffer | undefined;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === answerTags.id) id = reader.varint();
    else if (tag === answerTags.provenance) place = reader.varint();
    else if (tag === answerTags.record) {
      recordEnd = reader.content();
      begin = reader.at;
      reader.at = recordEnd;
    } else if (tag === answerTags.written) written = reader.bytes();
    else return false;
  }
  if (written !== undefined) {
    taker.written(id, decodeWriteAnswer(written));
    return true;
  }
  if (begin === undefined) return false;
  const provenance = provenances[place];
  if (provenance === undefined) throw malformed('the provenance of an answer', place);
  const wanted = taker.wanted(id);
  if (wanted === undefined) return true;
  const { namespace, source, bound, past, covered, responder, session } = provenance;
  reader.at = begin;
  if (wanted.isOfValue) {
    taker.gotValue(id, readRecordValue(reader, recordEnd), session);
    return true;
  }
  const record = readRecordBody(reader, recordEnd, { namespace, key: wanted.key });
  const rest = { record, namespace, source, past, covered, responder, session };
  taker.got(id, bound === undefined ? rest : { ...rest, bound });
  return true;
}

function takeFailure(bytes: Buffer, deserialize: Deserialize, taker: AnswerTaker): void {
  const { answers } = deserialize(bytes) as { readonly answers: readonly WireAnswer[] };
  for (const { id, error } of answers) {
    if (error) taker.failed(id, error);
    else throw malformed('an answer', 'none of the results that this client knows');
  }
}
