import { type AddressInfo, createServer, type Server, type ServerOpts, type Socket } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import type { Entrance } from '../model/entrance.ts';
import { MeridianError } from '../model/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { Connections } from '../runtime/connections.ts';
import { FairStarts } from '../runtime/fair-starts.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { Rooms } from '../runtime/rooms.ts';
import { Semaphore } from '../runtime/semaphore.ts';
import { type RenewedTls, secureContextOf, secureServerOf, tlsBounds } from '../runtime/tls.ts';
import { Connection, type ConnectionParts, tooManyClients } from './connection.ts';
import type { RespObserver } from './observer.ts';
import { ReplyWriter } from './protocol/reply-writer.ts';
import { ScanCursors } from './scan-cursors.ts';

export interface RespListenerOptions {
  /** AUTH brings the token by which the node is served. */
  readonly entrance: Entrance;
  /** Default: connections are in the clear. */
  readonly tls?: RenewedTls | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: RespObserver;
  /** Memory shared with other listeners. */
  readonly rooms: Rooms;
  /** The software's, for HELLO and INFO. */
  readonly version: string;
  /** Title or id of a namespace, by the number that SELECT names. */
  readonly databases: ReadonlyMap<number, string>;
  /** Milliseconds for one command. */
  readonly requestTimeoutMs: number;
  /** Milliseconds that the upstream may serve past a bound; default 0. No reply can say that it is past. */
  readonly staleWhileRevalidateMs?: number;
  /** Connections at once, idle ones too. Default 8192. */
  readonly connectionsMax?: number;
  /** Connections at once of one remote address. Default: as many as there may be in all. */
  readonly connectionsPerAddressMax?: number;
}

const bounds = {
  connectionsMax: 8192,
  /** Health and metrics are asked elsewhere. */
  reservedMax: 0,
  /** One that was idle for less is not closed for another: its command may be on its way. */
  idleMsMin: 1000,
  /** Connections that the system keeps until they are accepted; it may allow less. */
  backlogMax: 4096,
  trackingsMax: 2048,
  /** Milliseconds after which the system asks whether a silent client is still there. */
  keepAliveMs: 60_000,
} as const;

/** A turn is 64 commands, so that a round is some milliseconds, whoever sends as much as he can. */
const turnBounds = { roundMax: 32, shareMax: 16, connectionMax: 8 } as const;

/** A node's port for the Redis protocol (RESP2 and RESP3): serves any Upstream within bounds, and drains when stopped. */
export class RespListener {
  readonly #options: RespListenerOptions;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #parts: ConnectionParts;
  readonly #open = new Map<Socket, Connection>();
  readonly #starts = new FairStarts(setImmediate, turnBounds);
  #lastId = 0;
  #commands = 0;

  constructor(options: RespListenerOptions) {
    this.#options = options;
    const { connectionsMax = bounds.connectionsMax, connectionsPerAddressMax: perAddressMax = connectionsMax } =
      options;
    this.#connections = new Connections({ ...bounds, connectionsMax, perAddressMax }, options.clock);
    this.#parts = this.#partsOf(options);
    // A client that has sent all its commands may close its side before it has the replies.
    const { tls } = options;
    const sockets = { allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: bounds.keepAliveMs };
    this.#server = tls === undefined ? createServer(sockets) : secureServer(sockets, tls);
    // A handshake that does not end is no connection yet, but a descriptor.
    if (tls !== undefined) this.#server.maxConnections = connectionsMax + tlsBounds.handshakesMax;
    this.#server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => this.#connected(socket));
  }

  /** Listens; port 0 is one that the machine chooses. @throws UNAVAILABLE where the address cannot be had */
  async start(host: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(
          new MeridianError('UNAVAILABLE', `cannot listen for Redis clients on ${host}:${port}: ${error.message}`, {
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

  /** Takes no more connections or commands, waits for those under way up to `drainMs`, then cuts them. */
  async stop(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#open.values()) connection.end();
    const cut = this.#options.clock.timer(drainMs, () => {
      for (const socket of this.#open.keys()) socket.destroy();
    });
    await closed;
    cut.cancel();
  }

  #connected(socket: Socket): void {
    const { observer } = this.#options;
    // Its handshake was under way when the listener closed, and the stop waits for it: it could stay for ever.
    if (!this.#server.listening) {
      socket.destroy();
      return;
    }
    if (!this.#connections.add(socket)) {
      observer.rejected('too-many-connections');
      socket.on('error', () => {});
      socket.end(tooManyClients, () => socket.destroy());
      return;
    }
    this.#lastId++;
    this.#open.set(socket, new Connection(socket, this.#parts, this.#lastId));
    observer.connected(this.#open.size);
    socket.once('close', () => {
      this.#open.delete(socket);
      observer.connected(this.#open.size);
    });
  }

  #partsOf(options: RespListenerOptions): ConnectionParts {
    const { observer, staleWhileRevalidateMs = 0, random, version } = options;
    return {
      ...options,
      logger: options.logger.of('redis'),
      asksAgain: staleWhileRevalidateMs > 0,
      cursors: new ScanCursors(random),
      trackings: new Semaphore(bounds.trackingsMax),
      writer: new ReplyWriter(),
      about: { version, clients: () => this.#open.size, commands: () => this.#commands },
      observer: {
        rejected: (reason) => observer.rejected(reason),
        connected: (count) => observer.connected(count),
        answered: (command, outcome) => {
          this.#commands++;
          observer.answered(command, outcome);
        },
      },
      startTurn: (socket, run, isOver) => {
        const share = options.entrance.shareOf(socket, socket.remoteAddress ?? '');
        this.#starts.start({ connection: socket, share }, run, isOver);
      },
      busy: (socket) => this.#connections.begin(socket),
      idle: (socket) => this.#connections.end(socket),
    };
  }
}

function secureServer(sockets: ServerOpts, tls: RenewedTls): Server {
  const { current } = tls;
  const server = createSecureServer({ ...sockets, ...secureServerOf(current), ...secureContextOf(current) });
  tls.onRenewed((renewed) => server.setSecureContext(secureContextOf(renewed)));
  return server;
}
