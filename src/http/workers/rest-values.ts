import { isUtf8 } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import type { GetAnswer, ListAnswer } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import type { LiveRecord } from '../../model/record.ts';
import { emptySession } from '../../model/session.ts';
import { cacheStatus, cacheStatusHeader, tellCacheStatus } from './cache-status.ts';
import { resultText, sendResult, sendResultText } from './envelope.ts';
import { parseExpiration, wholeNumber } from './expiration.ts';
import { metadataOfForm } from './form-metadata.ts';
import { beginsWithMark, checkParts, fieldBytes } from './form-value.ts';
import { checkMetadata } from './metadata-text.ts';
import { putMutation } from './put-mutation.ts';
import { Refusal } from './refusal.ts';
import { type RestExchange, withRestBody } from './rest-exchange.ts';
import { sendRecord, sendSmall } from './send-record.ts';
import { ofLists, sendText } from './send-text.ts';
import { textIn } from './text-in.ts';

/** Keys a page of a list, the least that the original takes. */
const listKeysMin = 10;
/** Bytes of a form beside its value: metadata, boundaries, headers of parts. */
const formBytesMax = 64 * 1024;

export function listKeys(exchange: RestExchange, id: string): Promise<void> {
  const { query, upstream, call } = exchange;
  const cursor = query.get('cursor') ?? '';
  const asked = {
    namespace: id,
    session: emptySession,
    prefix: query.get('prefix') ?? '',
    limit: listLimit(query.get('limit')),
    ...(cursor === '' ? {} : { cursor }),
  };
  return sendText(exchange, ofLists(id), async () => {
    const answer = await upstream.list(asked, call);
    tellCacheStatus(exchange.response, answer);
    return listText(answer);
  });
}

function listText(answer: ListAnswer): string {
  const keys = answer.keys.map(
    ({ key, expiresAt, metadata }) =>
      `{"name":${JSON.stringify(key)}${expiresAt === undefined ? '' : `,"expiration":${expiresAt}`}${
        metadata === undefined ? '' : `,"metadata":${metadata}`
      }}`,
  );
  return resultText(`[${keys.join(',')}]`, { count: keys.length, cursor: answer.cursor ?? '' });
}

export async function getValue(exchange: RestExchange, id: string, key: string): Promise<void> {
  const { request, response, call, rooms } = exchange;
  await sendRecord({
    response,
    caller: request.socket,
    call,
    room: rooms.answers,
    name: [id, key],
    read: () => readLive(exchange, id, key),
    headers: headersOf,
  });
}

/** The same at once, of what is in memory and small. False where it must be read. */
export function sendValueHit(exchange: RestExchange, id: string, key: string): boolean {
  const { response, rooms } = exchange;
  const answer = exchange.upstream.peek({ namespace: id, key, session: emptySession });
  if (answer === undefined) return false;
  // With the others: a header that is set by itself costs a hit several times as much.
  const headers = (live: LiveRecord) => [cacheStatusHeader, cacheStatus(answer), ...headersOf(live)];
  const { record } = answer;
  return sendSmall(
    { response, room: rooms.answers, headers },
    record?.kind === 'live' ? record : liveOf(response, answer),
  );
}

function headersOf({ expiresAt }: LiveRecord): readonly string[] {
  const type = ['content-type', 'application/octet-stream'];
  return expiresAt === undefined ? type : [...type, 'expiration', String(expiresAt)];
}

export async function getMetadata(exchange: RestExchange, id: string, key: string): Promise<void> {
  const { upstream, response, call } = exchange;
  const request = { namespace: id, key, session: emptySession };
  const answer = upstream.peek(request) ?? (await upstream.get(request, call));
  sendResultText(response, liveOf(response, answer).metadata ?? 'null');
}

export async function putValue(exchange: RestExchange, id: string, key: string): Promise<void> {
  const { query, expiryClock, upstream, call, response } = exchange;
  const times = { expiration: query.get('expiration'), ttl: query.get('expiration_ttl') };
  const expiry = parseExpiration(times, expiryClock.nowMs());
  await withPut(exchange, async ({ value, metadata }) => {
    if (value.byteLength > limits.valueBytesMax) throw valueTooLong(value.byteLength);
    const put = putMutation(key, value, { metadata, expiry });
    await upstream.write({ namespace: id, mutations: [put], session: emptySession }, call);
  });
  sendResult(response, null);
}

export async function deleteValue(exchange: RestExchange, id: string, key: string): Promise<void> {
  const mutations = [{ kind: 'delete' as const, key }];
  await exchange.upstream.write({ namespace: id, mutations, session: emptySession }, exchange.call);
  sendResult(exchange.response, null);
}

async function readLive({ upstream, call, response }: RestExchange, id: string, key: string): Promise<LiveRecord> {
  return liveOf(response, await upstream.get({ namespace: id, key, session: emptySession }, call));
}

/** One for all, as an error takes longer to make than the answer. */
const keyNotFound = new Refusal(404, 'key not found', 10009);

/** @throws Refusal where there is none, of which the response says how it is known */
function liveOf(response: ServerResponse, answer: GetAnswer): LiveRecord {
  tellCacheStatus(response, answer);
  if (answer.record?.kind === 'live') return answer.record;
  throw keyNotFound;
}

interface PutBody {
  readonly value: Uint8Array;
  readonly metadata: string | undefined;
}

/** A value with its metadata: a raw body, or a form with the fields `value` and `metadata`. */
function withPut(exchange: RestExchange, use: (put: PutBody) => Promise<void>): Promise<void> {
  const type = exchange.request.headers['content-type'] ?? '';
  if (!/^multipart\/form-data\b/i.test(type)) {
    return withRestBody(exchange, limits.valueBytesMax, (value) => use({ value, metadata: undefined }));
  }
  return withRestBody(exchange, limits.valueBytesMax + formBytesMax, async (body) => use(await parsePut(body, type)));
}

async function parsePut(body: Buffer, type: string): Promise<PutBody> {
  checkParts(body, type);
  const form = await parseForm(body, type);
  const value = form.get('value');
  if (value === null) throw new Refusal(400, 'the form has no field "value"', 10012);
  // A field that is no file is taken as text, and bytes that are no text would be changed.
  if (typeof value === 'string' && !isUtf8(body)) {
    throw new Refusal(400, 'a value that is not UTF-8 must be sent as a file', 10012);
  }
  const metadata = await metadataOfForm(form);
  const field = fieldBytes(body, type, 'metadata');
  if (field !== undefined) textIn(field, 'the field metadata');
  else if (metadata?.includes('\ufffd') && !isUtf8(body)) throw new Refusal(400, 'metadata must be UTF-8', 10147);
  return {
    value:
      typeof value === 'string'
        ? Buffer.from(beginsWithMark(fieldBytes(body, type, 'value')) ? `\ufeff${value}` : value)
        : new Uint8Array(await value.arrayBuffer()),
    metadata: checkMetadata(metadata),
  };
}

async function parseForm(body: Buffer, type: string): Promise<FormData> {
  try {
    return await new Response(body, { headers: { 'content-type': type } }).formData();
  } catch {
    throw new Refusal(400, 'malformed multipart body', 10001);
  }
}

function valueTooLong(bytes: number): Refusal {
  return new Refusal(413, `Value length of ${bytes} exceeds limit of ${limits.valueBytesMax}.`, 10024);
}

function listLimit(text: string | null): number {
  const limit = text === null ? limits.listKeysMax : wholeNumber(text);
  if (limit === undefined || limit < listKeysMin || limit > limits.listKeysMax) {
    throw new Refusal(400, `limit must be from ${listKeysMin} to ${limits.listKeysMax}`, 10028);
  }
  return limit;
}
