import type { Mutation, PutMutation } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { emptySession } from '../../model/session.ts';
import { keysAtOnce, parseBulkGet, readBulk } from './bulk-get.ts';
import { checkBulkText } from './bulk-text.ts';
import { resultText, sendResult } from './envelope.ts';
import { parseExpiration } from './expiration.ts';
import { checkedKey } from './key-in-path.ts';
import { checkMetadata } from './metadata-text.ts';
import { putMutation } from './put-mutation.ts';
import { Refusal } from './refusal.ts';
import { type RestExchange, withRestJson } from './rest-exchange.ts';
import { scalarText } from './scalar-text.ts';
import { sendText } from './send-text.ts';

/** Bytes of a bulk get's request: 100 keys of 512 bytes, each byte escaped. */
const bulkGetBytesMax = 1024 * 1024;

export async function bulkPut(exchange: RestExchange, id: string): Promise<void> {
  const nowMs = exchange.clock.wallMs();
  await writeAll(exchange, id, (pair) => parsePair(pair, nowMs));
}

export async function bulkDelete(exchange: RestExchange, id: string): Promise<void> {
  await writeAll(exchange, id, (key) => ({ kind: 'delete', key: checkedKey(typeof key === 'string' ? key : '') }));
}

export async function bulkGet(exchange: RestExchange, id: string): Promise<void> {
  const bulk = await withRestJson(exchange, { bytesMax: bulkGetBytesMax }, async (body) => parseBulkGet(body));
  const { upstream, call, request, response } = exchange;
  const room = exchange.rooms.answers;
  const seen = (key: string, valueBytes: number) => room.note(id, key, valueBytes);
  const read = async () => {
    const values = await readBulk(upstream, bulk, { namespace: id, withExpiration: true, seen }, call);
    return resultText(`{"values":${values}}`);
  };
  await sendText({
    response,
    caller: request.socket,
    signal: call.signal,
    room,
    namespace: id,
    valuesAtOnce: Math.min(keysAtOnce, bulk.keys.length),
    read,
  });
}

/** All in one batch: all are written or none. */
async function writeAll(exchange: RestExchange, id: string, parse: (item: unknown) => Mutation): Promise<void> {
  const { upstream, call, response } = exchange;
  const count = await withRestJson(
    exchange,
    { bytesMax: limits.batchBytesMax, check: checkBulkText },
    async (items) => {
      if (!Array.isArray(items)) throw new Refusal(400, 'the request body must be a JSON array', 10001);
      const mutations = items.map(parse);
      // Nothing to write is a success too, but only in a namespace that is there.
      if (mutations.length === 0) await upstream.find(id, call);
      else await upstream.write({ namespace: id, mutations, session: emptySession }, call);
      return mutations.length;
    },
  );
  sendResult(response, { successful_key_count: count, unsuccessful_keys: [] });
}

function parsePair(pair: unknown, nowMs: number): PutMutation {
  const { key, value, base64, expiration, expiration_ttl, metadata } = asObject(pair);
  if (typeof value !== 'string') throw new Refusal(400, 'each pair needs a value, a string', 10012);
  const bytes = base64 === true ? fromBase64(value) : Buffer.from(value);
  if (bytes.byteLength > limits.valueBytesMax) {
    throw new Refusal(413, `Value length of ${bytes.byteLength} exceeds limit of ${limits.valueBytesMax}.`, 10024);
  }
  const expiry = parseExpiration({ expiration: textOf(expiration), ttl: textOf(expiration_ttl) }, nowMs);
  const text = checkMetadata(metadata === undefined ? undefined : JSON.stringify(metadata));
  return putMutation(checkedKey(typeof key === 'string' ? key : ''), bytes, { metadata: text, expiry });
}

/** Node skips what is no base64 without a word, so that a wrong value would be stored. */
function fromBase64(text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  const [data = ''] = /^[\w+/-]*(?=={0,2}$)/.exec(digits) ?? [];
  // Four digits are three bytes, and one alone is none.
  if ((data === '' && digits !== '') || data.length % 4 === 1) {
    throw new Refusal(400, 'a value that is said to be base64 is not', 10012);
  }
  return Buffer.from(data, 'base64');
}

type Pair = Partial<Record<'key' | 'value' | 'base64' | 'expiration' | 'expiration_ttl' | 'metadata', unknown>>;

function asObject(pair: unknown): Pair {
  if (typeof pair === 'object' && pair !== null) return pair;
  throw new Refusal(400, 'each pair must be an object', 10001);
}

function textOf(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : scalarText(value);
}
