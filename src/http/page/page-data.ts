import type { IncomingMessage, ServerResponse } from 'node:http';

import { MeridianError } from '../../model/errors.ts';
import {
  type Condition,
  type Expiry,
  type GetAnswer,
  type ListAnswer,
  type ListedKey,
  type Mutation,
  type Provenance,
  valueBytesOf,
  type WriteAnswer,
} from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { parseLogId } from '../../model/position.ts';
import { emptySession, type Session } from '../../model/session.ts';
import { parseStamp } from '../../model/stamp.ts';
import { checkText, strictText } from '../../model/text.ts';
import type { Upstream } from '../../model/upstream.ts';
import type { Rooms } from '../../runtime/rooms.ts';
import type { HttpCall } from '../exchange.ts';
import { sendJson } from '../send.ts';
import { withBody } from '../workers/read-body.ts';
import { releaseOnceClosed, tooManyValues } from '../workers/send-record.ts';
import { ofLists, sendText } from '../workers/send-text.ts';
import { sendValue } from '../workers/send-value.ts';
import type { KeyJson, KeysJson, ProvenanceJson, RecordJson, WriteJson, WrittenJson } from './page-json.ts';

/** One request of the page and what answering it needs. */
export interface PageExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** As the caller may use it. */
  readonly upstream: Upstream;
  readonly rooms: Rooms;
  readonly call: HttpCall;
  /** For what is asked of other nodes: who does not answer soon is left out. */
  readonly soon: HttpCall;
}

/** Bytes of a put: the largest value in base64, and what stands beside it. */
const putBytesMax = Math.ceil((limits.valueBytesMax * 4) / 3) + 64 * 1024;

export async function listKeys(exchange: PageExchange): Promise<void> {
  const { query, upstream, call, response } = exchange;
  const cursor = query.get('cursor');
  const namespace = required(query, 'namespace');
  const asked = {
    namespace,
    session: sessionIn(query),
    prefix: query.get('prefix') ?? '',
    limit: Number(query.get('limit') ?? 100),
    ...(cursor === null ? {} : { cursor }),
  };
  response.setHeader('cache-control', 'no-store');
  const read = async () => JSON.stringify(keysJson(await upstream.list(asked, call)));
  await sendText(exchange, ofLists(namespace), read);
}

function keysJson(answer: ListAnswer): KeysJson {
  const { keys, cursor } = answer;
  return { ...provenanceJson(answer), keys: keys.map(keyJson), ...(cursor === undefined ? {} : { cursor }) };
}

function keyJson({ key, stamp, metadata, expiresAt, valueBytes, damaged }: ListedKey): KeyJson {
  if (damaged) return { key, valueBytes, damaged };
  return {
    key,
    version: stamp,
    valueBytes,
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** The value as bytes, with all that is known of the record in a header: one answer, so that they belong together. */
export async function sendPageRecord(exchange: PageExchange): Promise<void> {
  const { request, response, query, upstream, rooms, call } = exchange;
  const [namespace, key] = [required(query, 'namespace'), required(query, 'key')];
  const bytesMax = Number(query.get('bytes-max') ?? limits.valueBytesMax);
  const read = () =>
    upstream.get(
      { namespace, key, session: sessionIn(query), ...(query.has('at-origin') ? { atOrigin: true } : {}) },
      call,
    );
  const held = await rooms.answers.hold({ caller: request.socket, namespace, key, call }, read, valueBytesOf);
  if (held === undefined) throw tooManyValues();
  releaseOnceClosed(response, held.release);
  const omitted = valueBytesOf(held.answer) > bytesMax;
  response.setHeader('meridian-record', asciiJson(recordJson(key, held.answer, omitted)));
  response.setHeader('content-type', 'application/octet-stream');
  response.setHeader('content-disposition', 'attachment');
  response.setHeader('cache-control', 'no-store');
  const { record } = held.answer;
  await sendValue(response, record?.kind === 'live' && !omitted ? record.value : new Uint8Array(), call);
}

function recordJson(key: string, answer: GetAnswer, omitted: boolean): RecordJson {
  const { record } = answer;
  const isLive = record?.kind === 'live';
  return {
    ...provenanceJson(answer),
    key,
    found: isLive,
    valueBytes: valueBytesOf(answer),
    omitted,
    ...(record === undefined ? {} : { version: record.stamp, position: record.position }),
    ...(isLive && record.metadata !== undefined ? { metadata: record.metadata } : {}),
    ...(record?.expiresAt === undefined ? {} : { expiresAt: record.expiresAt }),
  };
}

function provenanceJson({ source, responder, bound }: Provenance): ProvenanceJson {
  return { source, responder, ...(bound === undefined ? {} : { boundMs: bound.boundMs }) };
}

/** As a header can carry it. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function putRecord(exchange: PageExchange): Promise<void> {
  return bodyOf(exchange, putBytesMax, async (body) => {
    const request = body as Partial<WriteJson>;
    const { metadata } = request;
    const expiry = expiryIn(request);
    await write(exchange, request, {
      kind: 'put',
      key: textOf(request, 'key'),
      value: valueIn(request),
      ...(metadata === undefined ? {} : { metadata: checkedMetadata(metadata) }),
      ...(expiry === undefined ? {} : { expiry }),
      ...conditionIn(request.ifVersion),
    });
  });
}

export async function deleteRecord(exchange: PageExchange): Promise<void> {
  const { query } = exchange;
  const request = { namespace: required(query, 'namespace') };
  const condition = conditionIn(query.get('if-version') ?? undefined);
  await write(exchange, request, { kind: 'delete', key: required(query, 'key'), ...condition });
}

async function write(
  { upstream, call, response }: PageExchange,
  request: Partial<WriteJson>,
  mutation: Mutation,
): Promise<void> {
  const answer = await upstream.write(
    {
      namespace: textOf(request, 'namespace'),
      mutations: [mutation],
      session: emptySession,
      ...(request.tracked === true ? { tracked: true } : {}),
    },
    call,
  );
  sendJson(response, 200, writtenJson(answer));
}

function writtenJson({ written: [written], origin, durability }: WriteAnswer): WrittenJson {
  if (written === undefined) throw new Error('a write of one mutation tells what became of it');
  const { stamp, position, expiresAt } = written;
  return { version: stamp, position, origin, durability, ...(expiresAt === undefined ? {} : { expiresAt }) };
}

function valueIn(request: Partial<WriteJson>): Uint8Array {
  if (request.base64 === undefined) {
    const value = textOf(request, 'text');
    checkText(value, 'a value');
    return Buffer.from(value);
  }
  const text = textOf(request, 'base64');
  if (text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)) return Buffer.from(text, 'base64');
  throw bad('the field base64 is no base64');
}

/** @throws INVALID_ARGUMENT where it is no JSON */
function checkedMetadata(metadata: unknown): string {
  if (typeof metadata !== 'string') throw bad('the field metadata is the text of JSON');
  try {
    JSON.parse(metadata);
  } catch {
    throw bad('metadata is JSON, and this is none');
  }
  return metadata;
}

function expiryIn({ expiresAt, ttl }: Partial<WriteJson>): Expiry | undefined {
  if (expiresAt !== undefined && ttl !== undefined) throw bad('a record has a ttl or a time at which it expires');
  const seconds: unknown = ttl ?? expiresAt;
  if (seconds === undefined) return undefined;
  if (typeof seconds !== 'number') throw bad('an expiry is a number of seconds');
  return { kind: ttl === undefined ? 'at' : 'in', seconds };
}

function conditionIn(ifVersion: string | undefined): { readonly condition?: Condition } {
  if (ifVersion === undefined) return {};
  if (ifVersion === 'absent') return { condition: { kind: 'absent' } };
  const version = parseStamp(ifVersion);
  if (version === undefined) throw bad('a version is 32 lower-case hex digits');
  return { condition: { kind: 'version', version } };
}

/** What the page wrote last, as `log:sequence:version`: it reads that, or what came later. */
function sessionIn(query: URLSearchParams): Session {
  const after = query.get('after');
  if (after === null) return emptySession;
  const [log, sequence, version] = after.split(':');
  const [logId, stamp] = [parseLogId(log ?? ''), parseStamp(version ?? '')];
  if (logId === undefined || stamp === undefined || !/^\d{1,15}$/.test(sequence ?? '')) {
    throw bad('after names a log, a sequence and a version');
  }
  return { vector: new Map([[logId, Number(sequence)]]), stamp };
}

/** Hands the request's JSON object to `use`. @throws INVALID_ARGUMENT */
export function bodyOf<T>(
  { request, rooms, call }: PageExchange,
  bytesMax: number,
  use: (body: object) => Promise<T>,
): Promise<T> {
  const tooLong = (bytes: number, limit: number) => {
    const message = `this request has at most ${limit} bytes; it has ${bytes}`;
    return new MeridianError('INVALID_ARGUMENT', message, { reason: 'body-too-long', limit, seen: bytes });
  };
  return withBody(request, { bytesMax, tooLong, room: rooms.uploads, call }, (bytes) => {
    return use(objectIn(bytes));
  });
}

function objectIn(bytes: Uint8Array): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(strictText(bytes, 'the request body'));
  } catch {
    throw bad('the request body is no JSON in UTF-8');
  }
  if (typeof parsed === 'object' && parsed !== null) return parsed;
  throw bad('the request body is no JSON object');
}

/** @throws INVALID_ARGUMENT where the query lacks it */
export function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw bad(`the query names no ${name}`);
  return value;
}

function textOf(request: Partial<WriteJson>, field: 'namespace' | 'key' | 'text' | 'base64'): string {
  const value: unknown = request[field];
  if (typeof value === 'string') return value;
  throw bad(`the request has no text in its field ${field}`);
}

export function bad(message: string, reason = 'bad-request'): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', message, { reason });
}
