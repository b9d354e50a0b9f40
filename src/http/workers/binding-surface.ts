import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Entrance } from '../../model/entrance.ts';
import { toMeridianError } from '../../model/errors.ts';
import type { GetAnswer, GetRequest, ListAnswer, ReadOptions } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import type { LiveRecord } from '../../model/record.ts';
import { emptySession } from '../../model/session.ts';
import type { Upstream } from '../../model/upstream.ts';
import type { Clock, ExpiryClock } from '../../runtime/clock.ts';
import type { Rooms } from '../../runtime/rooms.ts';
import { callerOf } from '../caller-of.ts';
import type { HttpCall } from '../exchange.ts';
import { httpStatus } from '../http-status.ts';
import type { HttpSurface } from '../surface.ts';
import { keysAtOnce, parseBulkGet, readBulk } from './bulk-get.ts';
import { cacheStatus, cacheStatusHeader, tellCacheStatus } from './cache-status.ts';
import { parseExpiration, wholeNumber } from './expiration.ts';
import { checkedKey, checkedPrefix, decodeKey } from './key-in-path.ts';
import { checkMetadata, metadataFromHeader, metadataToHeader } from './metadata-text.ts';
import { putMutation } from './put-mutation.ts';
import { withBody } from './read-body.ts';
import { Refusal, sendReason } from './refusal.ts';
import { sendRecord, sendSmall } from './send-record.ts';
import { ofLists, ofValues, sendText } from './send-text.ts';
import { parseTarget, type Target } from './target.ts';
import { jsonIn, textIn } from './text-in.ts';
import { withinDeadline } from './within-deadline.ts';

const namespaceHeader = 'meridian-namespace';
/** Bytes of a bulk get's request: 100 keys of 512 bytes, each byte escaped. */
const bulkRequestBytesMax = 1024 * 1024;
/** Seconds: the original's least cacheTtl. */
const cacheTtlSecondsMin = 30;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: Upstream;
  readonly target: Target;
  readonly namespace: string;
  readonly call: HttpCall;
}

/**
 * The binding protocol of workerd: what a Worker's KV binding sends to its service. A request belongs here if it names
 * its namespace (title or id) in the header `Meridian-Namespace`, whatever its path: a key may be called `metrics`.
 */
export class BindingSurface implements HttpSurface {
  readonly #entrance: Entrance;
  readonly #clock: Clock;
  readonly #expiryClock: ExpiryClock;
  readonly #rooms: Rooms;

  constructor(entrance: Entrance, clock: Clock, rooms: Rooms, expiryClock: ExpiryClock) {
    this.#rooms = rooms;
    this.#entrance = entrance;
    this.#clock = clock;
    this.#expiryClock = expiryClock;
  }

  matches(request: IncomingMessage): boolean {
    return request.headers[namespaceHeader] !== undefined;
  }

  handle(request: IncomingMessage, response: ServerResponse, call: HttpCall): Promise<void> | undefined {
    try {
      const upstream = this.#entrance.enter(callerOf(request));
      const target = parseTarget(request.url);
      const namespace = namespaceIn(request);
      const exchange = { request, response, upstream, target, namespace, call };
      if (isGet(exchange) && this.#sendHit(exchange)) return undefined;
      return withinDeadline(call, this.#clock, (within) => this.#route({ ...exchange, call: within })).catch(
        (thrown: unknown) => refuse(response, thrown),
      );
    } catch (thrown) {
      refuse(response, thrown);
      return undefined;
    }
  }

  /** Answers at once what is in memory and small. False where the key must be read. @throws Refusal */
  #sendHit({ response, upstream, target, namespace }: Exchange): boolean {
    const answer = upstream.peek(getRequest(namespace, target));
    if (answer === undefined) return false;
    const { record } = answer;
    if (record?.kind !== 'live') {
      tellCacheStatus(response, answer);
      refuse(response, notFound);
      return true;
    }
    const headers = (live: LiveRecord) => [cacheStatusHeader, cacheStatus(answer), ...headersOf(live)];
    return sendSmall({ response, room: this.#rooms.answers, headers }, record);
  }

  #route(exchange: Exchange): Promise<void> {
    const { request, response, target } = exchange;
    switch (request.method) {
      case 'GET':
        return isGet(exchange) ? this.#get(exchange) : this.#list(exchange);
      case 'PUT':
        return this.#put(exchange);
      case 'DELETE':
        return this.#delete(exchange);
      case 'POST':
        if (target.path === '/bulk/get') return this.#bulkGet(exchange);
        throw new Refusal(404, `No such call: POST ${target.path}`);
      default:
        response.setHeader('allow', 'GET, PUT, DELETE, POST');
        throw new Refusal(405, `Method ${request.method} not allowed`);
    }
  }

  #get({ request: { socket }, response, upstream, target, namespace, call }: Exchange): Promise<void> {
    const request = getRequest(namespace, target);
    const live = (answer: GetAnswer): LiveRecord => {
      tellCacheStatus(response, answer);
      if (answer.record?.kind === 'live') return answer.record;
      throw notFound;
    };
    return sendRecord({
      response,
      caller: socket,
      call,
      room: this.#rooms.answers,
      name: [namespace, request.key],
      read: async () => live(await upstream.get(request, call)),
      headers: headersOf,
    });
  }

  async #put({ request, response, upstream, target, namespace, call }: Exchange): Promise<void> {
    const key = keyOf(target);
    const { query } = target;
    const expiry = parseExpiration(
      { expiration: query.get('expiration'), ttl: query.get('expiration_ttl') },
      this.#expiryClock.nowMs(),
    );
    const metadata = checkMetadata(metadataFromHeader(request.headers['cf-kv-metadata']));
    const options = {
      bytesMax: limits.valueBytesMax,
      tooLong: (bytes: number, limit: number) =>
        new Refusal(413, `Value length of ${bytes} exceeds limit of ${limit}.`),
      room: this.#rooms.uploads,
      call,
    };
    await withBody(request, options, (value) => {
      const put = putMutation(key, value, { metadata, expiry });
      return upstream.write({ namespace, mutations: [put], session: emptySession }, call);
    });
    response.end();
  }

  async #delete({ response, upstream, target, namespace, call }: Exchange): Promise<void> {
    const mutations = [{ kind: 'delete' as const, key: keyOf(target) }];
    await upstream.write({ namespace, mutations, session: emptySession }, call);
    response.end();
  }

  #list({ request, response, upstream, target, namespace, call }: Exchange): Promise<void> {
    const { query } = target;
    const cursor = query.get('cursor') ?? '';
    const asked = {
      ...readOptions(namespace, query.get('cache_ttl')),
      prefix: checkedPrefix(query.get('prefix') ?? ''),
      limit: listLimit(query.get('key_count_limit')),
      ...(cursor === '' ? {} : { cursor }),
    };
    return sendText({ request, response, call, rooms: this.#rooms }, ofLists(namespace), async () => {
      const answer = await upstream.list(asked, call);
      tellCacheStatus(response, answer);
      return listText(answer);
    });
  }

  async #bulkGet({ request, response, upstream, namespace, call }: Exchange): Promise<void> {
    const options = {
      bytesMax: bulkRequestBytesMax,
      tooLong: () => new Refusal(413, 'The request body is too long'),
      room: this.#rooms.uploads,
      call,
    };
    const bulk = await withBody(request, options, async (body) => parseBulkGet(jsonIn(body)));
    const { session: _, ...read } = readOptions(namespace, bulk.cacheTtl ?? null);
    const values = ofValues(this.#rooms.answers, namespace, Math.min(keysAtOnce, bulk.keys.length));
    await sendText({ request, response, call, rooms: this.#rooms }, values, () => {
      const seen = (key: string, valueBytes: number) => this.#rooms.answers.note(namespace, key, valueBytes);
      return readBulk(upstream, bulk, { ...read, withExpiration: false, seen, response }, call);
    });
  }
}

/** An absent key. One for all, as an error takes longer to make than the answer. */
const notFound = new Refusal(404, 'Not Found');

/** The runtime refuses empty keys itself, so the bare path is always a list. */
function isGet({ request, target }: Exchange): boolean {
  return request.method === 'GET' && (target.path !== '/' || target.query.has('urlencoded'));
}

/** @throws Refusal where the header is no UTF-8 */
function namespaceIn({ headers }: IncomingMessage): string {
  const title = String(headers[namespaceHeader]);
  // Most titles are ASCII, whose bytes are the same.
  return /^[\x20-\x7e]*$/.test(title) ? title : textIn(Buffer.from(title, 'latin1'), 'the header Meridian-Namespace');
}

/** @throws Refusal */
function getRequest(namespace: string, target: Target): GetRequest {
  const key = keyOf(target);
  const cacheTtl = target.query.get('cache_ttl');
  if (cacheTtl === null) return { namespace, session: emptySession, key };
  return { ...readOptions(namespace, cacheTtl), key };
}

/** Names and values in turn, as Node takes them. */
function headersOf({ metadata, expiresAt }: LiveRecord): string[] {
  const headers = ['content-type', 'application/octet-stream'];
  if (metadata !== undefined) headers.push('CF-KV-Metadata', metadataToHeader(metadata));
  if (expiresAt !== undefined) headers.push('CF-Expiration', String(expiresAt));
  return headers;
}

function keyOf({ path, query }: Target): string {
  const encoded = path.slice(1);
  return query.get('urlencoded')?.toLowerCase() === 'true' ? decodeKey(encoded) : checkedKey(encoded);
}

function readOptions(namespace: string, cacheTtl: string | null): ReadOptions {
  const read = { namespace, session: emptySession };
  if (cacheTtl === null) return read;
  const seconds = wholeNumber(cacheTtl);
  if (seconds === undefined || seconds < cacheTtlSecondsMin) {
    throw new Refusal(400, `Invalid cache_ttl of ${cacheTtl}. Cache TTL must be at least ${cacheTtlSecondsMin}.`);
  }
  return { ...read, maxStalenessMs: seconds * 1000 };
}

function listLimit(text: string | null): number {
  if (text === null) return limits.listKeysMax;
  const limit = wholeNumber(text);
  const complaint = `Invalid key_count_limit of ${text}. Please specify an integer`;
  if (limit === undefined || limit < 1) throw new Refusal(400, `${complaint} greater than 0.`);
  if (limit > limits.listKeysMax) throw new Refusal(400, `${complaint} less than ${limits.listKeysMax}.`);
  return limit;
}

function listText({ keys, cursor }: ListAnswer): string {
  const listed = keys.map(({ key, expiresAt, metadata }) => ({ name: key, expiration: expiresAt, metadata }));
  return JSON.stringify({ keys: listed, list_complete: cursor === undefined, cursor });
}

function refuse(response: ServerResponse, thrown: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  if (thrown instanceof Refusal) {
    sendReason(response, thrown.statusCode, thrown.message);
    return;
  }
  const error = toMeridianError(thrown);
  // What is no error of ours is a defect: the listener logs and answers it.
  if (error.code === 'INTERNAL') throw thrown;
  const { retryAfterMs } = error.details;
  if (retryAfterMs !== undefined) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1000));
  // To a Worker 404 is an absent key, and an unknown namespace must not look like an empty one.
  sendReason(response, error.code === 'NOT_FOUND' ? 400 : httpStatus[error.code], error.message);
}
