import { MeridianError } from '../../model/errors.ts';
import type { GetRequest, Mutation, ReadOptions, WriteRequest } from '../../model/key-value.ts';
import { isRequestId } from '../../model/request-id.ts';
import type { Session } from '../../model/session.ts';
import { decodeRead, encodeRead, type WireReadOptions } from './kv-codec.ts';
import {
  type MeasuredMutation,
  MutationReader,
  operationTags as mutationTags,
  writeMutation,
} from './mutation-fields.ts';
import { decodeSession, encodeSession, malformed, type WireSession } from './record-codec.ts';
import { fieldBytes, varintBytes, WireReader, type WireWriter } from './wire-format.ts';
import { decodeWriteOptions, encodeWriteOptions, type WireWriteOptions } from './write-codec.ts';

/*
 * The requests of Pipeline. Operations are read and written by hand. What they share goes through the loader of .proto
 * files, a part of a message at a time.
 *
 *     0a .. terms     12 .. operation 08 id 10 terms 1a key 22 00 (a get) 42 request id     1a .. cancel
 */

const tags = { terms: 0x0a, operation: 0x12, cancel: 0x1a, cancelAlone: 0x18 } as const;
/** Operations of one message, and terms. */
export const operationsMax = 1024;

const operationTags = { id: 0x08, terms: 0x10, key: mutationTags.key, get: 0x22, requestId: 0x42 } as const;

/** What the operations of a message share, as a client writes it. */
export interface Terms {
  readonly read: ReadOptions;
  readonly write: Pick<WriteRequest, 'durability' | 'durabilityTimeoutMs' | 'tracked'>;
  readonly timeoutMs: number;
}

/** The same, as a node reads it. */
export interface ReadTerms {
  readonly namespace: string;
  readonly session: Session;
  /** A get of the empty key, of which gets of other keys are copies: so the terms are checked once for all of them. */
  readonly get: GetRequest;
  readonly write: Pick<WriteRequest, 'durability' | 'durabilityTimeoutMs' | 'tracked'>;
  readonly timeoutMs: number | undefined;
}

export interface Operation {
  readonly id: number;
  readonly key: string;
  /** Index into the message's terms. */
  readonly terms: number;
  /** Unset = a get. */
  readonly mutation?: Mutation;
  /** As its caller wrote it; unset = the caller wrote none. */
  readonly requestId?: string;
  /** Why it cannot be done. */
  readonly refused?: unknown;
}

export interface PipelineRequest {
  /** The terms, or why they cannot be met: then each operation that names them fails with that. */
  readonly terms: ReadonlyArray<ReadTerms | Error>;
  readonly operations: readonly Operation[];
  readonly cancelled: readonly number[];
}

interface WireTerms {
  readonly namespace: string;
  readonly session: WireSession | null;
  readonly read: WireReadOptions | null;
  readonly write: WireWriteOptions | null;
  readonly timeoutMs?: number | null;
}

/** A message, or a part of one, as the loader of .proto files makes it. */
export type Serialize = (message: object) => Buffer;
export type Deserialize = (bytes: Buffer) => object;

/** The part of a message with what operations share. */
export function encodeTerms({ read, write, timeoutMs }: Terms, serialize: Serialize): Buffer {
  const wire: WireTerms = {
    namespace: read.namespace,
    session: encodeSession(read.session),
    read: encodeRead(read),
    write: encodeWriteOptions(write),
    timeoutMs,
  };
  return serialize({ terms: [wire] });
}

/** Bytes of these terms in a message, at the most: names, a stamp, and of a component of the vector a log and a number. */
export function termsBytesMax({ namespace, session }: ReadOptions): number {
  return 128 + 3 * namespace.length + 40 * session.vector.size;
}

/** What every operation says of itself, besides what it does. */
export interface OperationHead {
  readonly id: number;
  /** Index into the message's terms. */
  readonly terms: number;
  readonly requestId: string | undefined;
}

/** Bytes of this write in a message, at the most, without a request id. */
export function writeBytesMax({ bytes }: MeasuredMutation): number {
  return 32 + bytes;
}

/** The part of a message that is this write. */
export function writeWrite(writer: WireWriter, head: OperationHead, mutation: MeasuredMutation): void {
  const named = namedBytes(head);
  writeHead(writer, head, mutation.bytes + named);
  writeMutation(writer, mutationTags, mutation);
  if (named > 0) writeName(writer, head);
}

/** Bytes of a get in a message, at the most, without a request id. */
export function getBytesMax(key: string): number {
  return 32 + 3 * key.length;
}

/** The part of a message that is this get. */
export function writeGet(writer: WireWriter, head: OperationHead, key: string): void {
  const keyBytes = Buffer.byteLength(key);
  const named = namedBytes(head);
  writeHead(writer, head, fieldBytes(keyBytes) + 2 + named);
  writer.head(operationTags.key, keyBytes);
  writer.utf8(key, keyBytes);
  writer.head(operationTags.get, 0);
  if (named > 0) writeName(writer, head);
}

/** Begins every operation, which then has `bytes` of its own. */
function writeHead(writer: WireWriter, { id, terms }: OperationHead, bytes: number): void {
  const idBytes = id > 0 ? 1 + varintBytes(id) : 0;
  const termsBytes = terms > 0 ? 1 + varintBytes(terms) : 0;
  writer.head(tags.operation, idBytes + termsBytes + bytes);
  if (id > 0) writer.head(operationTags.id, id);
  if (terms > 0) writer.head(operationTags.terms, terms);
}

/** Bytes of the field with the request id; 0 without one that a node takes. */
function namedBytes({ requestId }: OperationHead): number {
  return isRequestId(requestId) ? fieldBytes(requestId.length) : 0;
}

function writeName(writer: WireWriter, { requestId = '' }: OperationHead): void {
  writer.head(operationTags.requestId, requestId.length);
  writer.ascii(requestId);
}

/** The part of a message that gives operations up. */
export function encodeCancel(ids: readonly number[], serialize: Serialize): Buffer {
  return serialize({ cancel: ids });
}

/** Bytes of terms to keep: a stream may be idle for long, and there may be thousands. */
const keptTermsBytesMax = 8 * 1024;

/** Reads the terms of a stream's messages. A client's are mostly the same, so the last are kept, with their bytes. */
export class TermsReader {
  readonly #deserialize: Deserialize;
  #bytes: Buffer = Buffer.alloc(0);
  #terms: ReadonlyArray<ReadTerms | Error> = [];

  constructor(deserialize: Deserialize) {
    this.#deserialize = deserialize;
  }

  read(bytes: Buffer): ReadonlyArray<ReadTerms | Error> {
    if (bytes.equals(this.#bytes)) return this.#terms;
    const terms = decodeTerms(bytes, this.#deserialize);
    if (bytes.length <= keptTermsBytesMax) {
      this.#terms = terms;
      this.#bytes = Buffer.from(bytes);
    }
    return terms;
  }
}

/** @throws INVALID_ARGUMENT if the message cannot be read */
export function decodePipelineRequest(
  bytes: Buffer,
  deserialize: Deserialize,
  termsReader = new TermsReader(deserialize),
): PipelineRequest {
  const reader = new WireReader(bytes);
  const terms: Array<ReadTerms | Error> = [];
  const operations: Operation[] = [];
  const cancelled: number[] = [];
  while (reader.at < bytes.length) {
    const begin = reader.at;
    const tag = reader.varint();
    if (tag === tags.terms) {
      reader.at = reader.content();
      terms.push(...termsReader.read(bytes.subarray(begin, reader.at)));
      // Each of them costs more than its bytes: a message with two million would hold up everybody.
      if (terms.length > operationsMax) throw tooMany('terms', terms.length);
    } else if (tag === tags.operation) {
      const end = reader.content();
      const from = reader.at;
      operations.push(readGet(reader, end) ?? readOperation(reader, from, end));
      reader.closes(end);
      if (operations.length > operationsMax) throw tooMany('operations', operations.length);
    } else if (tag === tags.cancel) {
      const end = reader.content();
      while (reader.at < end) cancelled.push(reader.varint());
      reader.closes(end);
    } else if (tag === tags.cancelAlone) cancelled.push(reader.varint());
    else reader.skip(tag);
  }
  return { terms, operations, cancelled };
}

function tooMany(what: string, seen: number): MeridianError {
  const message = `a message has at most ${operationsMax} ${what}; this one has ${seen} or more`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'too-many-operations', limit: operationsMax, seen });
}

/** Undefined for anything but a get. */
function readGet(reader: WireReader, end: number): Operation | undefined {
  let id = 0;
  let terms = 0;
  let key = '';
  let requestId = '';
  let isGet = false;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === operationTags.id) id = reader.varint();
    else if (tag === operationTags.terms) terms = reader.varint();
    else if (tag === operationTags.key) key = reader.text();
    else if (tag === operationTags.requestId) requestId = reader.text();
    else if (tag === operationTags.get) {
      reader.skipMessage();
      isGet = true;
    } else return undefined;
  }
  if (!isGet) return undefined;
  return requestId === '' ? { id, terms, key } : { id, terms, key, requestId };
}

/** Any operation that begins at `from`. */
function readOperation(reader: WireReader, from: number, end: number): Operation {
  let id = 0;
  let terms = 0;
  let requestId = '';
  let isGet = false;
  const fields = new MutationReader(mutationTags);
  reader.at = from;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === operationTags.id) id = reader.varint();
    else if (tag === operationTags.terms) terms = reader.varint();
    else if (tag === operationTags.requestId) requestId = reader.text();
    else if (tag === operationTags.get) {
      reader.skipMessage();
      isGet = true;
    } else if (!fields.take(tag, reader)) reader.skip(tag);
    // Of several kinds in one message the last one counts.
    else if (tag === mutationTags.put || tag === mutationTags.delete) isGet = false;
  }
  const operation = { id, terms, key: fields.key, ...(requestId === '' ? {} : { requestId }) };
  if (isGet) return operation;
  try {
    return { ...operation, mutation: fields.mutation() };
  } catch (refused) {
    return { ...operation, refused };
  }
}

function decodeTerms(bytes: Buffer, deserialize: Deserialize): Array<ReadTerms | Error> {
  const { terms } = deserialize(bytes) as { readonly terms: readonly WireTerms[] };
  return terms.map(({ namespace, session, read, write, timeoutMs }) => {
    try {
      if (typeof timeoutMs === 'number' && !(timeoutMs > 0)) throw malformed('timeout_ms', timeoutMs);
      const get = { namespace, key: '', session: decodeSession(session), ...decodeRead(read) };
      return {
        namespace,
        session: get.session,
        get,
        write: decodeWriteOptions(write),
        timeoutMs: timeoutMs ?? undefined,
      };
    } catch (error) {
      return error as Error;
    }
  });
}
