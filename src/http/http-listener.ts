import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { MeridianError, toMeridianError } from '../model/errors.ts';
import { isRequestId, requestIdHeader } from '../model/request-id.ts';
import type { Trace, Tracer } from '../model/trace.ts';
import type { Clock } from '../runtime/clock.ts';
import { Connections } from '../runtime/connections.ts';
import { FairStarts } from '../runtime/fair-starts.ts';
import type { Logger } from '../runtime/logger.ts';
import { systemRandom } from '../runtime/random.ts';
import { RequestIds } from '../runtime/request-ids.ts';
import { type RenewedTls, secureContextOf, secureServerOf, tlsBounds } from '../runtime/tls.ts';
import { atDeadline } from './at-deadline.ts';
import { Exchange } from './exchange.ts';
import { errorOfStatus, httpStatus } from './http-status.ts';
import type { HttpObserver } from './observer.ts';
import { pathOf } from './path-of.ts';
import { sendJson } from './send.ts';
import { SiteGuard } from './site-guard.ts';
import { StoppedWithConnection } from './stopped-with-connection.ts';
import type { HttpSurface } from './surface.ts';
import { plainRequestBytes, Turns } from './turns.ts';

interface NamedSurface {
  readonly name: string;
  readonly surface: HttpSurface;
  readonly always?: true;
}

export interface HttpListenerOptions {
  /**
   * Asked in order; the first that matches answers. Names are labels of metrics. One that is `always` answers also on
   * the connections kept in reserve.
   */
  readonly surfaces: readonly NamedSurface[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: HttpObserver;
  /** Milliseconds for one exchange, from its headers to its end. */
  readonly exchangeMs: number;
  /** Connections at once, idle ones too. Default 8192. */
  readonly connectionsMax?: number;
  /** Connections at once of one remote address. Default: as many as there may be in all. */
  readonly connectionsPerAddressMax?: number;
  /** Among whom the beginning of exchanges is shared out. Default: each connection by itself. */
  readonly shareOf?: (socket: Socket) => object | string;
  /**
   * Names under which browsers may ask this node, besides `localhost` and addresses. Default: any, which takes tokens
   * (`SiteGuard`).
   */
  readonly ownNames?: readonly string[] | undefined;
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** True once connections are to go elsewhere: each ends with its present answer. Default: when the listener stops. */
  readonly isDraining?: () => boolean;
  /** Default: connections are in the clear. */
  readonly tls?: RenewedTls | undefined;
}

interface Admitted {
  /** Unset = no path that is served. */
  readonly surface: NamedSurface | undefined;
  /** False on a connection that is kept in reserve. */
  readonly isServed: boolean;
}

/** Bounds of the listener; those that Node enforces by itself are named as Node names them. */
const bounds = {
  headersTimeoutMs: 10_000,
  /** For all of a request, its body too: 100 MB at 1 MB/s. */
  requestTimeoutMs: 120_000,
  keepAliveTimeoutMs: 60_000,
  /** More than a binding's metadata may be, so that it is refused in the words of its own. */
  headerBytesMax: 64 * 1024,
  connectionsMax: 8192,
  /** Connections beyond these, for health and metrics alone. */
  reservedMax: 64,
  /** One that was idle for less is not closed for another: its request may be on its way. */
  idleMsMin: 1000,
  /** Connections that the system keeps until they are accepted; it may allow less. */
  backlogMax: 4096,
  /** Of one connection's requests that wait for the one before: 16 without headers. */
  waitingBytesPerConnectionMax: 16 * plainRequestBytes,
  /** Of all, for each connection that there may be, before the first to have more than the above is cut. */
  waitingBytesForEachConnection: 8 * plainRequestBytes,
  requestsASocketMax: 100_000,
  /** For an answer that is ready when an exchange's time is over to reach its client, or for a refused one to hang up. */
  lingerMs: 1000,
} as const;

/** A node's one HTTP port: routes each request to the surface that it belongs to, within bounds, and drains when stopped. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #turns: Turns;
  readonly #sites: SiteGuard;
  readonly #logger: Logger;
  readonly #requestIds = new RequestIds(systemRandom);
  readonly #starts = new FairStarts();
  /** Each exchange under way, and what ends it early. */
  readonly #underWay = new Map<ServerResponse, Exchange>();

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    this.#logger = options.logger.of('http');
    this.#sites = new SiteGuard(options.ownNames);
    this.#server = serverOf(
      {
        headersTimeout: bounds.headersTimeoutMs,
        requestTimeout: bounds.requestTimeoutMs,
        keepAliveTimeout: bounds.keepAliveTimeoutMs,
        maxHeaderSize: bounds.headerBytesMax,
        // workerd names the host in the target alone where its service is said to be a proxy; nothing here looks at it.
        requireHostHeader: false,
        IncomingMessage: StoppedWithConnection,
      },
      options.tls,
    );
    this.#server.on('request', (request, response) => this.#takeTurn(request, response));
    const { connectionsMax = bounds.connectionsMax, connectionsPerAddressMax: perAddressMax = connectionsMax } =
      options;
    this.#connections = new Connections({ ...bounds, connectionsMax, perAddressMax }, options.clock);
    const { waitingBytesPerConnectionMax, waitingBytesForEachConnection } = bounds;
    const waitingBytesMax = waitingBytesForEachConnection * connectionsMax;
    this.#turns = new Turns({ waitingBytesPerConnectionMax, waitingBytesMax });
    this.#server.maxRequestsPerSocket = bounds.requestsASocketMax;
    if (options.tls !== undefined) {
      // A handshake that does not end is no connection yet, but a descriptor.
      this.#server.maxConnections = connectionsMax + bounds.reservedMax + tlsBounds.handshakesMax;
    }
    this.#server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      // A handshake that was under way at the stop: Node looks after no connection that comes behind it.
      if (!this.#server.listening) socket.destroy();
      else if (!this.#connections.add(socket)) this.#hangUp(socket, 'too-many-connections');
    });
    this.#server.on('clientError', (error, socket) => this.#malformed(error, socket as Socket));
  }

  /** Listens; port 0 is one that the machine chooses. @throws UNAVAILABLE where the address cannot be had */
  async start(host: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(
          new MeridianError('UNAVAILABLE', `cannot listen for HTTP on ${host}:${port}: ${error.message}`, {
            reason: 'cannot-listen',
            cause: error,
          }),
        ),
      );
      this.#server.listen({ port, host, backlog: bounds.backlogMax }, () => resolve());
    });
    const address = this.#server.address() as AddressInfo;
    return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
  }

  /** Takes no more connections, waits for exchanges under way up to `drainMs`, then cuts them. */
  async stop(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    // A connection that is kept alive would outlast its last exchange and hold the stop up.
    for (const response of this.#underWay.keys()) response.shouldKeepAlive = false;
    const cut = this.#options.clock.timer(drainMs, () => {
      const stopping = new MeridianError('UNAVAILABLE', 'the node is stopping', { reason: 'stopping' });
      for (const exchange of this.#underWay.values()) exchange.end(stopping);
      this.#server.closeAllConnections();
    });
    await closed;
    cut.cancel();
  }

  #takeTurn(request: IncomingMessage, response: ServerResponse): void {
    if (this.#turns.take(request, () => this.#start(request, response))) return;
    this.#hangUp(request.socket, 'too-many-pipelined');
  }

  /** Health is answered at once, all else in its turn among what others ask. */
  #start(request: IncomingMessage, response: ServerResponse): void {
    const { socket, url = '/' } = request;
    if (socket.destroyed) return;
    if (!url.startsWith('/')) request.url = originForm(url);
    const { surfaces, shareOf = (connection) => connection } = this.#options;
    const surface = surfaces.find((one) => one.surface.matches(request));
    const admitted = { surface, isServed: this.#connections.begin(socket) };
    if (surface?.always) {
      this.#begin(request, response, admitted);
      return;
    }
    const begin = () => this.#begin(request, response, admitted);
    this.#starts.start({ connection: socket, share: shareOf(socket) }, begin, () => socket.destroyed);
  }

  #begin(request: IncomingMessage, response: ServerResponse, admitted: Admitted): void {
    const { socket } = request;
    const endedMs = this.#exchange(request, response, admitted);
    if (endedMs === undefined) response.once('close', () => this.#end(socket, this.#options.clock.monotonicMs()));
    else this.#end(socket, endedMs);
  }

  #end(socket: Socket, nowMs: number): void {
    this.#connections.end(socket, nowMs);
    this.#turns.next(socket);
  }

  #hangUp(socket: Socket, reason: string): void {
    this.#options.observer.rejected(reason);
    socket.destroy();
  }

  /**
   * The path of a request. A surface that answers at once, from memory, leaves nothing behind where the system took the
   * answer: no promise, no timer, no listener (`npm run bench -- http-hit`). Says when the exchange was
   * over, where it is.
   */
  #exchange(request: IncomingMessage, response: ServerResponse, admitted: Admitted): number | undefined {
    const { clock, exchangeMs } = this.#options;
    const brought = request.headers[requestIdHeader];
    const requestId = isRequestId(brought) ? brought : this.#requestIds.next();
    const exchange = new Exchange(clock, exchangeMs, requestId);
    response.setHeader(requestIdHeader, requestId);
    if (!this.#server.listening || this.#options.isDraining?.() === true) response.shouldKeepAlive = false;
    try {
      const handled = this.#handle(exchange, request, response, admitted);
      if (handled === undefined && isOut(response)) {
        const endedMs = clock.monotonicMs();
        this.#tell(exchange, request, response.statusCode, endedMs);
        return endedMs;
      }
      this.#follow(exchange, request, response);
      handled?.catch((thrown: unknown) => this.#refuse(response, thrown));
    } catch (thrown) {
      this.#follow(exchange, request, response);
      this.#refuse(response, thrown);
    }
    return undefined;
  }

  #handle(
    exchange: Exchange,
    request: IncomingMessage,
    response: ServerResponse,
    { surface: found, isServed }: Admitted,
  ): Promise<void> | undefined {
    if (found === undefined) throw unknownPath(request);
    exchange.surface = found.name;
    if (found.always !== true) exchange.trace = this.#enter(exchange, request);
    if (!isServed && found.always !== true) throw tooManyConnections(response);
    if (found.surface.isForEverySite?.(request) !== true) this.#sites.check(request);
    return found.surface.handle(request, response, exchange);
  }

  #enter({ surface, requestId }: Exchange, { method = '', headers }: IncomingMessage): Trace | undefined {
    const { traceparent, tracestate } = headers;
    return this.#options.tracer?.enter(
      `${method} ${surface}`,
      { traceparent, tracestate, isPassedOn: false },
      { 'http.request.method': method, 'meridian.surface': surface, 'meridian.request_id': requestId },
    );
  }

  /** Until its answer is out, or its client is gone. */
  #follow(exchange: Exchange, request: IncomingMessage, response: ServerResponse): void {
    const { clock } = this.#options;
    this.#underWay.set(response, exchange);
    // Whoever does not take his answer holds memory and a connection.
    const late = atDeadline(exchange, { clock, lingerMs: bounds.lingerMs }, () => response.destroy());
    let isTaken = false;
    // It also finishes where the connection was cut: what is left goes nowhere then.
    response.once('finish', () => {
      isTaken = !request.socket.destroyed;
    });
    response.once('close', () => {
      late.cancel();
      this.#underWay.delete(response);
      const statusCode = isTaken ? response.statusCode : 0;
      if (statusCode === 0) exchange.end(clientGone);
      this.#tell(exchange, request, statusCode, clock.monotonicMs());
    });
  }

  #tell(exchange: Exchange, { method }: IncomingMessage, status: number, endedMs: number): void {
    const { surface, requestId, beganMs, trace } = exchange;
    const elapsedMs = endedMs - beganMs;
    this.#options.observer.answered(surface, status, elapsedMs);
    trace?.tell({ 'http.response.status_code': status });
    trace?.end(failureOf(status));
    if (!this.#logger.writes('debug')) return;
    const fields = { method, surface, status, elapsedMs: Math.round(elapsedMs), requestId };
    this.#logger.log('debug', 'a request was answered', fields);
  }

  #refuse(response: ServerResponse, thrown: unknown): void {
    const error = toMeridianError(thrown);
    if (error.code === 'INTERNAL') {
      const requestId = String(response.getHeader(requestIdHeader));
      this.#logger.log('error', 'an HTTP exchange failed', { requestId, error: error.stack ?? error.message });
    }
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const { retryAfterMs } = error.details;
    if (retryAfterMs !== undefined) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1000));
    sendJson(response, httpStatus[error.code], { code: error.code, message: error.message, ...error.details });
  }

  #malformed(error: Error & { code?: string }, socket: Socket): void {
    // Whoever hangs up, as a probe of the port does, sent nothing that could be malformed.
    if (error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    this.#options.observer.rejected('malformed');
    const isAnswered = [...this.#underWay.keys()].some(
      (response) => response.socket === socket && response.headersSent,
    );
    if (!socket.writable || isAnswered) {
      socket.destroy();
      return;
    }
    const { line, message } = describeMalformed(error);
    const body = `${JSON.stringify({ code: 'INVALID_ARGUMENT', message, reason: 'malformed' })}\n`;
    const headers = `connection: close\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}`;
    socket.end(`HTTP/1.1 ${line}\r\n${headers}\r\n\r\n${body}`);
    // Half closed it would count as a connection for as long as the other side likes.
    const cut = this.#options.clock.timer(bounds.lingerMs, () => socket.destroy());
    socket.resume().once('close', () => cut.cancel());
  }
}

function serverOf(options: ServerOptions<typeof StoppedWithConnection>, tls: RenewedTls | undefined): Server {
  if (tls === undefined) return createServer(options);
  const { current } = tls;
  const server = createSecureServer({ ...options, ...secureServerOf(current), ...secureContextOf(current) });
  tls.onRenewed((renewed) => server.setSecureContext(secureContextOf(renewed)));
  return server;
}

/** The status line for what is no request that can be read, and what is wrong with it. */
function describeMalformed(error: Error & { code?: string }): { readonly line: string; readonly message: string } {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        line: '431 Request Header Fields Too Large',
        message: `the headers of a request have at most ${bounds.headerBytesMax} bytes; these have more`,
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        line: '408 Request Timeout',
        message: `a request arrives within ${bounds.requestTimeoutMs} ms, its headers within ${bounds.headersTimeoutMs} ms`,
      };
    default:
      return { line: '400 Bad Request', message: `this is no request of HTTP/1.1: ${error.message}` };
  }
}

/** All of the answer is with the system. */
function isOut({ writableEnded, socket }: ServerResponse): boolean {
  return writableEnded && socket !== null && socket.writableLength === 0 && !socket.destroyed;
}

/** One for all: an error's stack would keep the response, and all that waited behind it, for as long as the error. */
const clientGone = new MeridianError('CANCELLED', 'the client went away', { reason: 'client-gone' });

/** What an exchange failed with, as its status says: what that was to the surface which answered, that alone knows. */
function failureOf(status: number): MeridianError | undefined {
  if (status === 0) return clientGone;
  return status < 500
    ? undefined
    : new MeridianError(errorOfStatus(status), 'see the status', { reason: 'http-status' });
}

/** What follows the authority of `http://host/path`, as clients of proxies write it. */
function originForm(url: string): string {
  const rest = /^https?:\/\/[^/?#]*(.*)$/is.exec(url)?.[1] ?? url;
  return rest.startsWith('?') || rest === '' ? `/${rest}` : rest;
}

function tooManyConnections(response: ServerResponse): MeridianError {
  response.setHeader('connection', 'close');
  return new MeridianError('RESOURCE_EXHAUSTED', 'this node has as many connections as it serves', {
    reason: 'too-many-connections',
    retryAfterMs: 1000,
  });
}

function unknownPath(request: IncomingMessage): MeridianError {
  return new MeridianError('NOT_FOUND', `no such path: ${pathOf(request)}`, { reason: 'unknown-path' });
}
