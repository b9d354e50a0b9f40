import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Caller, Entrance } from '../../model/entrance.ts';
import type { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Connected, Connections } from '../../runtime/connections.ts';
import { FairStarts } from '../../runtime/fair-starts.ts';
import { peerCertificateOf } from '../../runtime/peer-certificate.ts';
import { tlsBounds } from '../../runtime/tls.ts';
import { connectionWindowBytes, streamWindowBytes } from '../proto.ts';
import { exhausted, refuseStream, type StreamHandler } from './refuse-stream.ts';
import { withTrueEnds } from './true-ends.ts';
import type { UploadGuard } from './upload-guard.ts';

export interface SessionGuardOptions {
  readonly clock: Clock;
  readonly uploads: UploadGuard;
  /** Connections at once, idle ones too. */
  readonly connectionsMax: number;
  /** Connections at once of one remote address. */
  readonly connectionsPerAddressMax: number;
  /** Calls at once, streams too, of all connections. */
  readonly callsMax: number;
  /** True for calls that are answered with one message. */
  readonly isUnary: (path: string) => boolean;
  /** Bytes of a call's answer from which on it may not stand still; undefined if any may. */
  readonly unreadBytesMin: (path: string) => number | undefined;
  /** Milliseconds for which such an answer may stand still: its caller may have set no deadline. */
  readonly idleMs: number;
  /** The shares among which the beginning of calls is divided. */
  readonly shareOf: Entrance['shareOf'];
  /** Why a caller gets no room for a large request; undefined if it does. */
  readonly refusal: (caller: Caller) => MeridianError | undefined;
  /** A connection was hung up on, or a call refused before its handler. */
  readonly rejected: (reason: string) => void;
}

const bounds = {
  /** Connections beyond the limit, for health alone. */
  reservedMax: 64,
  /** Milliseconds: a connection that was idle for less is not closed for another. */
  idleMsMin: 1000,
  /** Calls of health at once of one connection: they need no token, and a Watch lasts as long as its caller likes. */
  healthCallsMax: 64,
} as const;

/** A call costs some hundreds of microseconds, and so do the operations of a pipeline's turn. */
const callBounds = { roundMax: 64, shareMax: 16, connectionMax: 16 } as const;

const healthPath = '/grpc.health.v1.Health/';

interface Session {
  readonly connected: Connected;
  streams: number;
  /** The calls of health among them. */
  healthStreams: number;
}

/**
 * Bounds what the connections of a gRPC listener may do before any handler sees them: how many there are, how many calls
 * are under way, and how much of their requests is in memory. Health is answered whatever else is refused.
 */
export class SessionGuard {
  readonly #options: SessionGuardOptions;
  readonly #connections: Connections;
  readonly #sessions = new Map<ServerHttp2Session, Session>();
  readonly #byPeer = new Map<string, ServerHttp2Session>();
  readonly #starts = new FairStarts(setImmediate, callBounds);
  #streams = 0;

  constructor(options: SessionGuardOptions) {
    this.#options = options;
    const { connectionsMax, connectionsPerAddressMax: perAddressMax, clock } = options;
    this.#connections = new Connections({ ...bounds, connectionsMax, perAddressMax }, clock);
  }

  /** The connection with this remote address and port. */
  connectionOf(peer: string): ServerHttp2Session | undefined {
    return this.#byPeer.get(peer);
  }

  /** Begins a turn of a call's operations, in its place among the calls that begin. */
  startTurn(peer: string, run: () => void, isOver: () => boolean): void {
    const connection = this.#byPeer.get(peer);
    if (connection === undefined) {
      run();
      return;
    }
    const share = this.#options.shareOf(connection, connection.socket?.remoteAddress ?? '');
    this.#starts.start({ connection, share }, run, isOver);
  }

  watch(http2: Http2Server): void {
    const handlers = http2.listeners('stream') as StreamHandler[];
    http2.removeAllListeners('stream');
    // A handshake that has not ended is no session yet, but takes a descriptor.
    http2.maxConnections = this.#options.connectionsMax + bounds.reservedMax + tlsBounds.handshakesMax;
    http2.on('session', (session) => this.#begin(session));
    const onStream: StreamHandler = (stream, headers, flags, rawHeaders) => {
      // While the stream waits for its turn nobody else listens, and a reset would end the process.
      stream.on('error', () => {});
      if (!this.#admits(stream, headers)) return;
      const path = String(headers[':path']);
      const run = () => {
        if (!this.#options.uploads.admits(stream, path, headers)) return;
        const isUnary = this.#options.isUnary(path);
        const handle = () => {
          for (const each of handlers) each.call(http2, stream, headers, flags, rawHeaders);
        };
        // A request of one message is either whole or absent.
        if (isUnary) handle();
        else withTrueEnds(stream, handle);
        // After the library's own listeners, so that it finds the stream as it expects it.
        const { uploads, refusal } = this.#options;
        uploads.watch(stream, path, () => refusal(callerOf(stream, headers)));
        const unreadBytesMin = this.#options.unreadBytesMin(path);
        if (unreadBytesMin !== undefined) this.#cutUnread(stream, unreadBytesMin);
      };
      const { session: connection } = stream;
      if (connection === undefined || isHealth(headers)) {
        run();
        return;
      }
      const share = this.#options.shareOf(connection, connection.socket?.remoteAddress ?? '');
      this.#starts.start({ connection, share }, run, () => stream.destroyed || stream.closed);
    };
    http2.on('stream', onStream);
  }

  /**
   * An answer that nobody reads would stay in memory, and keep its room there, for as long as the connection. Less than
   * `bytesMin` is not there yet, or costs next to nothing.
   */
  #cutUnread(stream: ServerHttp2Stream, bytesMin: number): void {
    // HTTP/2's own timer, which begins anew whenever anything of the stream moves.
    stream.setTimeout(this.#options.idleMs);
    stream.on('timeout', () => {
      if (stream.writableLength < bytesMin) return;
      this.#options.rejected('answer-unread');
      stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  #begin(session: ServerHttp2Session): void {
    const connected: Connected = {
      remoteAddress: session.socket?.remoteAddress,
      // Announces it first, so that a client that is about to call connects anew.
      destroy: () => session.close(),
      once: (_event, run) => session.once('close', run),
    };
    session.on('error', () => {});
    if (!this.#connections.add(connected)) {
      this.#options.rejected('too-many-connections');
      session.destroy();
      return;
    }
    this.#sessions.set(session, { connected, streams: 0, healthStreams: 0 });
    const peer = `${session.socket.remoteAddress}:${session.socket.remotePort}`;
    this.#byPeer.set(peer, session);
    session.once('close', () => {
      this.#sessions.delete(session);
      if (this.#byPeer.get(peer) === session) this.#byPeer.delete(peer);
    });
    session.setLocalWindowSize(connectionWindowBytes);
    session.settings({ initialWindowSize: streamWindowBytes });
  }

  #admits(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const session = stream.session === undefined ? undefined : this.#sessions.get(stream.session as ServerHttp2Session);
    if (session === undefined) return true;
    const { callsMax, connectionsMax } = this.#options;
    session.streams++;
    this.#streams++;
    const isServed = this.#connections.begin(session.connected);
    stream.once('close', () => {
      this.#streams--;
      session.streams--;
      if (session.streams === 0) this.#connections.end(session.connected);
    });
    if (isHealth(headers)) return this.#admitsHealth(stream, session);
    if (!isServed) {
      this.#refuse(stream, 'this node has as many connections as it serves', 'too-many-connections', connectionsMax);
    } else if (this.#streams > callsMax) {
      this.#refuse(stream, `${callsMax} calls are under way at this node`, 'too-many-calls', callsMax);
    } else return true;
    return false;
  }

  #admitsHealth(stream: ServerHttp2Stream, session: Session): boolean {
    const { healthCallsMax } = bounds;
    session.healthStreams++;
    stream.once('close', () => session.healthStreams--);
    if (session.healthStreams <= healthCallsMax) return true;
    const message = `${healthCallsMax} calls of health are under way on this connection`;
    this.#refuse(stream, message, 'too-many-calls', healthCallsMax);
    return false;
  }

  #refuse(stream: ServerHttp2Stream, message: string, reason: string, limit: number): void {
    this.#options.rejected(reason);
    refuseStream(stream, exhausted(message, reason, limit), this.#options.clock);
  }
}

function callerOf({ session }: ServerHttp2Stream, { authorization }: IncomingHttpHeaders): Caller {
  const { socket } = session ?? {};
  const certificate = () => peerCertificateOf(socket);
  return { authorization, address: socket?.remoteAddress ?? '', certificate, connection: session };
}

function isHealth(headers: IncomingHttpHeaders): boolean {
  return String(headers[':path']).startsWith(healthPath);
}
