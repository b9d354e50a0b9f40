import { exactJson, losesDigits, partsOf } from '../../model/json-text.ts';
import type { Mutation, PutMutation } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { emptySession } from '../../model/session.ts';
import { keysAtOnce, parseBulkGet, readBulk } from './bulk-get.ts';
import { checkBulkText } from './bulk-text.ts';
import { resultText, sendResult } from './envelope.ts';
import { numberText, parseExpiration } from './expiration.ts';
import { keyInJson } from './key-in-path.ts';
import { checkMetadata } from './metadata-text.ts';
import { putMutation } from './put-mutation.ts';
import { Refusal } from './refusal.ts';
import { type RestExchange, withRestBody, withRestJson } from './rest-exchange.ts';
import { jsonOf } from './scalar-text.ts';
import { ofValues, sendText } from './send-text.ts';
import { checkedText, jsonIn } from './text-in.ts';

/** Bytes of a bulk get's request: 100 keys of 512 bytes, each byte escaped. */
const bulkGetBytesMax = 1024 * 1024;

export async function bulkPut(exchange: RestExchange, id: string): Promise<void> {
  const nowMs = exchange.expiryClock.nowMs();
  await writeAll(exchange, id, (pairs, text) => {
    // The one thing of a pair that may hold numbers.
    const texts = losesDigits(text) ? partsOf(text).map((pair) => metadataText(pair.text)) : undefined;
    return pairs.map((pair, index) => namingPair(index, keyIn(pair), () => parsePair(pair, nowMs, texts?.[index])));
  });
}

export async function bulkDelete(exchange: RestExchange, id: string): Promise<void> {
  await writeAll(exchange, id, (keys) =>
    keys.map((key, index) => namingPair(index, key, () => ({ kind: 'delete', key: keyInJson(key) }))),
  );
}

export async function bulkGet(exchange: RestExchange, id: string): Promise<void> {
  const bulk = await withRestJson(exchange, bulkGetBytesMax, async (body) => parseBulkGet(body));
  const { upstream, call } = exchange;
  const room = exchange.rooms.answers;
  const seen = (key: string, valueBytes: number) => room.note(id, key, valueBytes);
  const read = async () => {
    const values = await readBulk(
      upstream,
      bulk,
      { namespace: id, withExpiration: true, seen, response: exchange.response },
      call,
    );
    return resultText(`{"values":${values}}`);
  };
  await sendText(exchange, ofValues(room, id, Math.min(keysAtOnce, bulk.keys.length)), read);
}

/** All in one batch: all are written or none. */
async function writeAll(
  exchange: RestExchange,
  id: string,
  parse: (items: readonly unknown[], text: string) => readonly Mutation[],
): Promise<void> {
  const { upstream, call, response } = exchange;
  const count = await withRestBody(exchange, limits.batchBytesMax, async (body) => {
    checkBulkText(body);
    const items = jsonIn(body);
    if (!Array.isArray(items)) throw new Refusal(400, 'the request body must be a JSON array', 10001);
    const mutations = parse(items, body.toString());
    // Nothing to write is a success too, but only in a namespace that is there.
    if (mutations.length === 0) await upstream.find(id, call);
    else await upstream.write({ namespace: id, mutations, session: emptySession }, call);
    return mutations.length;
  });
  sendResult(response, { successful_key_count: count, unsuccessful_keys: [] });
}

/** Of ten thousand pairs the one that is refused must be found. @throws Refusal that names it by its place and key */
function namingPair<T>(index: number, key: unknown, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const named = typeof key === 'string' ? ` (key ${JSON.stringify(key.slice(0, 512))})` : '';
    throw new Refusal(error.statusCode, `pair ${index}${named}: ${error.message}`, error.restCode, error.operation);
  }
}

function parsePair(pair: unknown, nowMs: number, exactMetadata: string | undefined): PutMutation {
  const { key, value, base64, expiration, expiration_ttl, metadata } = asObject(pair);
  const name = keyInJson(key);
  if (typeof value !== 'string')
    throw new Refusal(400, `each pair needs a value, a string, not ${jsonOf(value)}`, 10012);
  if (base64 !== undefined && base64 !== null && typeof base64 !== 'boolean') {
    throw new Refusal(400, `base64 must be true or false, not ${jsonOf(base64)}`, 10012);
  }
  const bytes = base64 === true ? fromBase64(value) : Buffer.from(checkedText(value, 'a value that is text'));
  if (bytes.byteLength > limits.valueBytesMax) {
    throw new Refusal(413, `Value length of ${bytes.byteLength} exceeds limit of ${limits.valueBytesMax}.`, 10024);
  }
  const times = {
    expiration: numberText(expiration, 'expiration'),
    ttl: numberText(expiration_ttl, 'expiration_ttl'),
  };
  const expiry = parseExpiration(times, nowMs);
  const text = checkMetadata(metadata === undefined ? undefined : (exactMetadata ?? JSON.stringify(metadata)));
  return putMutation(name, bytes, { metadata: text, expiry });
}

/** Of a pair's text, its metadata with all digits; of fields of one name the last counts, as in JSON.parse. */
function metadataText(pair: string): string | undefined {
  const text = partsOf(pair).findLast(({ name }) => name === 'metadata')?.text;
  return text === undefined ? undefined : exactJson(text);
}

function keyIn(pair: unknown): unknown {
  return typeof pair === 'object' && pair !== null && 'key' in pair ? pair.key : undefined;
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
  if (typeof pair === 'object' && pair !== null && !Array.isArray(pair)) return pair;
  throw new Refusal(400, `each pair must be an object, not ${jsonOf(pair)}`, 10001);
}
