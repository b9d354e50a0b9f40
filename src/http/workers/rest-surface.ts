import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller, Entrance } from '../../model/entrance.ts';
import { parseNamespaceId, registryNamespace } from '../../model/namespace.ts';
import type { Clock, ExpiryClock } from '../../runtime/clock.ts';
import type { Rooms } from '../../runtime/rooms.ts';
import { callerOf } from '../caller-of.ts';
import type { HttpCall } from '../exchange.ts';
import type { HttpSurface } from '../surface.ts';
import { sendFailure } from './envelope.ts';
import { decodeKey } from './key-in-path.ts';
import { Refusal } from './refusal.ts';
import { bulkDelete, bulkGet, bulkPut } from './rest-bulk.ts';
import type { RestExchange } from './rest-exchange.ts';
import { createNamespace, listNamespaces, removeNamespace, renameNamespace, showNamespace } from './rest-namespaces.ts';
import { deleteValue, getMetadata, getValue, listKeys, putValue, sendValueHit } from './rest-values.ts';
import { parseTarget } from './target.ts';
import { withinDeadline } from './within-deadline.ts';

const base = '/client/v4/';
/** After the account, of which any will do: it stands for this cluster. */
const namespacesPath = /^\/client\/v4\/accounts\/[^/]+\/storage\/kv\/namespaces\/?(.*)$/s;

interface Endpoint {
  /** How failure messages name it. */
  readonly operation: string;
  readonly run: (exchange: RestExchange, id: string, key: string) => Promise<void>;
  /** Answers at once what is in memory. False where it must be run. */
  readonly sendHit?: (exchange: RestExchange, id: string, key: string) => boolean;
}

/** `METHOD pattern` → endpoint; N stands for a namespace's id and K for a key. */
const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['GET ', { operation: 'list namespaces', run: listNamespaces }],
  ['POST ', { operation: 'create namespace', run: createNamespace }],
  ['GET N', { operation: 'get namespace', run: showNamespace }],
  ['PUT N', { operation: 'rename namespace', run: renameNamespace }],
  ['DELETE N', { operation: 'remove namespace', run: removeNamespace }],
  ['GET N/keys', { operation: 'list keys', run: listKeys }],
  ['GET N/values/K', { operation: 'get', run: getValue, sendHit: sendValueHit }],
  // Node leaves the body of its answer out.
  ['HEAD N/values/K', { operation: 'get', run: getValue }],
  ['PUT N/values/K', { operation: 'put', run: putValue }],
  ['DELETE N/values/K', { operation: 'delete', run: deleteValue }],
  ['GET N/metadata/K', { operation: 'get metadata', run: getMetadata }],
  ['PUT N/bulk', { operation: 'bulk put', run: bulkPut }],
  ['DELETE N/bulk', { operation: 'bulk delete', run: bulkDelete }],
  ['POST N/bulk/delete', { operation: 'bulk delete', run: bulkDelete }],
  ['POST N/bulk/get', { operation: 'bulk get', run: bulkGet }],
]);

/** The REST API v4 of Workers KV, as the vendor's SDK and command line speak it. */
export class RestSurface implements HttpSurface {
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
    return request.url?.startsWith(base) === true;
  }

  handle(request: IncomingMessage, response: ServerResponse, call: HttpCall): Promise<void> | undefined {
    let endpoint = unknownEndpoint;
    try {
      const upstream = this.#entrance.enter(restCallerOf(request));
      const { path, query } = parseTarget(request.url);
      const { pattern, id, encodedKey } = parsePath(path);
      endpoint = endpoints.get(`${request.method} ${pattern}`) ?? unknownEndpoint;
      if (endpoint !== unknownEndpoint && pattern !== '') checkId(id);
      const key = encodedKey === undefined ? '' : decodeKey(encodedKey);
      const { operation, run, sendHit } = endpoint;
      const [expiryClock, rooms] = [this.#expiryClock, this.#rooms];
      const exchange = { request, response, query, upstream, expiryClock, rooms, call };
      if (sendHit?.(exchange, id, key) === true) return undefined;
      return withinDeadline(call, this.#clock, (within) => run({ ...exchange, call: within }, id, key)).catch(
        (thrown: unknown) => sendFailure(response, operation, thrown),
      );
    } catch (thrown) {
      sendFailure(response, endpoint.operation, thrown);
      return undefined;
    }
  }
}

/** Older clients present what they have in `X-Auth-Key`, beside a mail address that says nothing here. */
function restCallerOf(request: IncomingMessage): Caller {
  const caller = callerOf(request);
  const key = request.headers['x-auth-key'];
  return caller.authorization === undefined && key !== undefined
    ? { ...caller, authorization: `Bearer ${String(key)}` }
    : caller;
}

const unknownEndpoint: Endpoint = {
  operation: 'request',
  run: async () => {
    throw new Refusal(404, 'endpoint does not exist', 10025);
  },
};

interface ParsedPath {
  readonly pattern: string;
  readonly id: string;
  readonly encodedKey?: string;
}

/** A key is all that follows, so that one whose slashes are not encoded is found too. */
function parsePath(path: string): ParsedPath {
  const rest = namespacesPath.exec(path)?.[1];
  if (rest === undefined) return { pattern: 'unknown', id: '' };
  if (rest === '') return { pattern: '', id: '' };
  const [id = '', kind, ...key] = rest.split('/');
  if (kind === undefined || (kind === '' && key.length === 0)) return { pattern: 'N', id };
  if (kind === 'values' || kind === 'metadata') return { pattern: `N/${kind}/K`, id, encodedKey: key.join('/') };
  return { pattern: `N/${[kind, ...key].join('/')}`, id };
}

/** Titles are no ids here, and the cluster's own records are nobody's namespace. */
function checkId(id: string): void {
  const parsed = parseNamespaceId(id);
  if (parsed === undefined) {
    const complaint = id.length === 32 ? 'incorrect UUID format' : 'incorrect UUID length';
    throw new Refusal(400, `uuid: ${complaint}: ${id}`, 10011, "could not parse UUID from request's namespace_id");
  }
  if (parsed === registryNamespace) throw new Refusal(404, 'namespace not found', 10013);
}
