import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Entrance } from '../../model/entrance.ts';
import { MeridianError } from '../../model/errors.ts';
import { aroundMs } from '../../model/upstream.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Rooms } from '../../runtime/rooms.ts';
import { callerOf } from '../caller-of.ts';
import type { HttpCall } from '../exchange.ts';
import { pathOf } from '../path-of.ts';
import type { HttpSurface } from '../surface.ts';
import { parseTarget } from '../workers/target.ts';
import { withinDeadline } from '../workers/within-deadline.ts';
import { bad, deleteRecord, listKeys, type PageExchange, putRecord, sendPageRecord } from './page-data.ts';
import { PageFiles } from './page-files.ts';
import {
  createNamespace,
  listNamespaces,
  removeNamespace,
  renameNamespace,
  sendNamespace,
  sendTrack,
  sendView,
} from './page-view.ts';

type Endpoint = (exchange: PageExchange) => Promise<void>;

/** `METHOD path` → what answers it. */
const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['GET /page/view', sendView],
  ['GET /page/track', sendTrack],
  ['GET /page/namespaces', listNamespaces],
  ['GET /page/namespace', sendNamespace],
  ['POST /page/namespaces', createNamespace],
  ['PUT /page/namespaces', renameNamespace],
  ['DELETE /page/namespaces', removeNamespace],
  ['GET /page/keys', listKeys],
  ['GET /page/record', sendPageRecord],
  ['PUT /page/record', putRecord],
  ['DELETE /page/record', deleteRecord],
]);

const filesPath = '/page/files/';

export interface PageSurfaceOptions {
  readonly entrance: Entrance;
  readonly clock: Clock;
  readonly rooms: Rooms;
  /** Where the build put the page's files. */
  readonly filesFolder: string;
}

/**
 * The page of a node, at `/`, and what it asks for, under `/page/`. Its files are told to everybody; all else passes the
 * entrance as every other request does. A browser is trusted with nothing: the listener refuses what another site has it
 * send (`SiteGuard`), and a caller says who he is in the header `authorization` alone, which no browser adds by itself.
 */
export class PageSurface implements HttpSurface {
  readonly #options: PageSurfaceOptions;
  readonly #files: PageFiles;

  constructor(options: PageSurfaceOptions) {
    this.#options = options;
    this.#files = new PageFiles(options.filesFolder);
  }

  matches(request: IncomingMessage): boolean {
    const path = pathOf(request);
    return path === '/' || path.startsWith('/page/');
  }

  /** The page itself, which anybody may link to, and which no other site reads or frames. */
  isForEverySite(request: IncomingMessage): boolean {
    const path = pathOf(request);
    return path === '/' || path.startsWith(filesPath);
  }

  handle(request: IncomingMessage, response: ServerResponse, call: HttpCall): Promise<void> | undefined {
    secure(response);
    const path = pathOf(request);
    const method = request.method ?? 'GET';
    if (this.isForEverySite(request)) {
      if (method !== 'GET' && method !== 'HEAD') throw unknownEndpoint(method, path);
      const name = path === '/' ? 'index.html' : path.slice(filesPath.length);
      this.#files.send(response, name, /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? '')));
      return undefined;
    }
    const endpoint = endpoints.get(`${method} ${path}`);
    if (endpoint === undefined) throw unknownEndpoint(method, path);
    checkType(request);
    const { entrance, clock, rooms } = this.#options;
    const upstream = entrance.enter(callerOf(request));
    const query = queryOf(request);
    return withinDeadline(call, clock, (within) => {
      const soon = { ...within, deadlineMs: Math.min(within.deadlineMs, clock.monotonicMs() + aroundMs) };
      return endpoint({ request, response, query, upstream, rooms, call: within, soon });
    });
  }
}

/** What a form can send is no JSON. @throws INVALID_ARGUMENT */
function checkType({ headers, method }: IncomingMessage): void {
  const hasBody = method === 'PUT' || method === 'POST';
  if (hasBody && !/^application\/json\b/i.test(headers['content-type'] ?? '')) {
    throw bad('the content type of this request is application/json', 'content-type');
  }
}

/** Of every answer. A value that somebody wrote is looked at as nothing but bytes. */
function secure(response: ServerResponse): void {
  response.setHeader('content-security-policy', "default-src 'none'; sandbox; frame-ancestors 'none'");
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
}

/** @throws INVALID_ARGUMENT where it escapes what is no UTF-8: another key would be meant */
function queryOf({ url }: IncomingMessage): URLSearchParams {
  try {
    return parseTarget(url).query;
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error));
  }
}

function unknownEndpoint(method: string, path: string): MeridianError {
  return new MeridianError('NOT_FOUND', `no such path: ${method} ${path}`, { reason: 'unknown-path' });
}
