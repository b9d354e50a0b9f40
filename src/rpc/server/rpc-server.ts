import { setMaxListeners } from 'node:events';
import type { ServerOptions, ServiceDefinition } from '@grpc/grpc-js';
import { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { DrainProgress, DrainRequest } from '../../model/cluster.ts';
import { type Caller, type Entrance, openEntrance } from '../../model/entrance.ts';
import { MeridianError, toMeridianError } from '../../model/errors.ts';
import type { Upstream } from '../../model/upstream.ts';
import { sleep, type Timer } from '../../runtime/clock.ts';
import { Draining } from '../../runtime/draining.ts';
import { systemRandom } from '../../runtime/random.ts';
import { RequestIds } from '../../runtime/request-ids.ts';
import type { Rooms } from '../../runtime/rooms.ts';
import type { RenewedTls } from '../../runtime/tls.ts';
import type { WireFollowResponse } from '../codec/feed-codec.ts';
import { RecordBodies } from '../codec/record-body.ts';
import { type RpcObserver, silentRpcObserver } from '../observer.ts';
import { messageBytesMax, services } from '../proto.ts';
import { clusterHandlers, type Drain, namespaceHandlers, tokenHandlers } from './admin-handlers.ts';
import { callerOf, type Timing } from './call-of.ts';
import { CallsUnderWay } from './calls-under-way.ts';
import { drained, refuseWhileDraining } from './drained.ts';
import { FeedHandler } from './feed-handler.ts';
import { onHttp2Server } from './http2-of.ts';
import { type KvHandlersOptions, kvHandlers } from './kv-handlers.ts';
import { type PipelineOptions, pipelineHandlers } from './pipeline-handler.ts';
import { addReflection } from './reflection.ts';
import { serverCredentials } from './server-credentials.ts';
import { SessionGuard } from './session-guard.ts';
import { strictService } from './strict-requests.ts';
import { UploadGuard } from './upload-guard.ts';
import { watchHandlers } from './watch-handler.ts';
import { readWritePart } from './write-collector.ts';

export interface RpcServerOptions
  extends Omit<Timing, 'observer' | 'calls' | 'draining' | 'handingOn' | 'stopping' | 'enter' | 'requestIds'> {
  /** Default: nobody listens. */
  readonly observer?: RpcObserver;
  readonly upstream: Upstream;
  /** What each call is served with. Default: the upstream, for every caller. */
  readonly entrance?: Entrance;
  /** Default: connections are in the clear. */
  readonly tls?: RenewedTls | undefined;
  /** Says when to take no more calls; shared with the node's other listeners. Default: only at the stop. */
  readonly draining?: Draining;
  /** Does what an administrator asks of the node. Default: UNIMPLEMENTED. */
  readonly drain?: (request: DrainRequest) => Promise<DrainProgress>;
  /** Watches at once; one more is refused. Default: 2048. */
  readonly watchersMax?: number;
  /** Memory shared with other listeners. */
  readonly rooms: Rooms;
  /** Connections at once, idle ones too. Default 8192. */
  readonly connectionsMax?: number;
  /** Connections at once of one remote address. Default: as many as in all. */
  readonly connectionsPerAddressMax?: number;
  /** Calls at once, streams too, of all connections. Default 16 384. */
  readonly callsMax?: number;
}

const bounds = {
  connectionsMax: 8192,
  callsMax: 16 * 1024,
  /** Calls at once of one connection; a client queues further ones by itself, as HTTP/2 demands. */
  callsPerConnectionMax: 4096,
} as const;

const serverOptions: ServerOptions = {
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  'grpc.max_concurrent_streams': bounds.callsPerConnectionMax,
  // Nobody here reads its bookkeeping for every call.
  'grpc.enable_channelz': 0,
  // A half-open connection ends within half a minute, whichever side is gone.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
};

/** Milliseconds between looks at the node's readiness, for grpc.health.v1. */
const healthIntervalMs = 1000;
/** Milliseconds after which a node that has not told its status counts as not ready: its disk may hang. */
const healthPatienceMs = 5000;

/** The node as a whole, and each service for clients that ask by its name: one readiness for all. */
const healthNames = ['', ...['KV', 'Namespaces', 'Cluster', 'Feed', 'Tokens'].map((name) => `meridian.v1.${name}`)];

/** Milliseconds for the streams that are told to end. */
const partingMs = 1000;

/** Serves any Upstream over gRPC, and knows nothing else. */
export class RpcServer {
  readonly feed: FeedHandler;
  readonly bodies = new RecordBodies();
  readonly #options: RpcServerOptions;
  readonly #server: Server;
  readonly #uploads: UploadGuard;
  readonly #health = new HealthImplementation(Object.fromEntries(healthNames.map((name) => [name, 'NOT_SERVING'])));
  readonly #calls = new CallsUnderWay();
  readonly #draining: Draining;
  readonly #handingOn = new AbortController();
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: RpcServerOptions) {
    const entrance = options.entrance ?? openEntrance(options.upstream);
    this.#draining = options.draining ?? new Draining();
    this.#options = options;
    this.#server = new Server(serverOptions);
    this.#uploads = uploadGuard(options);
    const timing = this.#timing(options, (caller, peer) => {
      return entrance.enter({ ...caller, connection: guard.connectionOf(peer) });
    });
    const guard = sessionGuard({ ...options, entrance }, this.#uploads, timing.observer);
    if (!onHttp2Server(this.#server, (http2) => guard.watch(http2))) {
      options.logger.log('warn', 'this version of grpc-js shows no HTTP/2 server: connections are not bounded');
    }
    const { definition, serialize } = feedDefinition();
    this.feed = new FeedHandler({ ...timing, serialize });
    const { answers: room, uploads } = options.rooms;
    const { requestBytesMax } = uploads;
    const kv = kvDefinition();
    const startTurn: PipelineOptions['startTurn'] = (served, ...turn) => guard.startTurn(served.getPeer(), ...turn);
    this.#server.addService(kv.definition, {
      ...kvHandlers({ ...kv, room, bodies: this.bodies, requestBytesMax }, timing),
      ...pipelineHandlers({ ...timing, ...kv, room, bodies: this.bodies, uploads, startTurn }),
      ...watchHandlers(timing, {
        random: systemRandom,
        room,
        ...(options.watchersMax === undefined ? {} : { most: options.watchersMax }),
      }),
    });
    this.#server.addService(strictService(services.namespaces.service), namespaceHandlers(timing));
    this.#server.addService(
      strictService(services.cluster.service),
      clusterHandlers(timing, drainBy(options, entrance)),
    );
    this.#server.addService(strictService(services.tokens.service), tokenHandlers(timing));
    this.#server.addService(strictService(definition), this.feed.handlers());
    this.#health.addToServer(this.#server);
    addReflection(this.#server);
  }

  #timing(options: RpcServerOptions, enter: (caller: Caller, peer: string) => Upstream): Timing {
    const { signal: draining } = this.#draining;
    // Every stream listens to it.
    setMaxListeners(0, this.#handingOn.signal);
    draining.addEventListener('abort', () => void this.#handOn(), { once: true });
    return {
      ...options,
      observer: options.observer ?? silentRpcObserver,
      logger: options.logger.of('rpc'),
      requestIds: new RequestIds(systemRandom),
      calls: this.#calls,
      draining,
      handingOn: this.#handingOn.signal,
      stopping: this.#stopping.signal,
      enter: (served) => {
        refuseWhileDraining(served, draining);
        return enter(callerOf(served), served.getPeer());
      },
    };
  }

  /** Listens; port 0 takes any. Returns `host:port`. @throws UNAVAILABLE if the address is taken */
  async start(host: string, port: number): Promise<string> {
    const name = host.includes(':') ? `[${host}]` : host;
    return `${name}:${await this.#bind(`${name}:${port}`)}`;
  }

  /** Listens on a socket of this machine, for processes that may open that file. @throws UNAVAILABLE */
  async startLocal(path: string): Promise<void> {
    await this.#bind(`unix:${path}`);
  }

  /** Resolves with the port, if it has one. */
  async #bind(place: string): Promise<number> {
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(place, serverCredentials(this.#options.tls), (error, boundPort) => {
        if (error === null) resolve(boundPort);
        else {
          const message = `cannot listen on ${place}: ${error.message}`;
          reject(new MeridianError('UNAVAILABLE', message, { reason: 'listen', cause: error }));
        }
      });
    });
    void this.#watchHealth();
    return bound;
  }

  /**
   * Takes no new call. Those under way have `drainMs` to end. Then followers and watches, which never end, are told to
   * go elsewhere, and whatever is left is cut.
   */
  async stop(drainMs: number): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#tellHealth('NOT_SERVING');
    this.#draining.begin();
    const drained = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    await this.#within(drainMs, (late) => this.#calls.ended(late));
    this.#stopping.abort(new MeridianError('UNAVAILABLE', 'the node is stopping', { reason: 'stopping' }));
    await this.#within(Math.min(drainMs, partingMs), () => drained);
    this.#server.forceShutdown();
    this.#uploads.stop();
  }

  /** Besides the call that asks. */
  get callsUnderWay(): number {
    return Math.max(0, this.#calls.count - 1);
  }

  /** Followers and watches stay until they have what was written last. A stop tells them by itself. */
  async #handOn(): Promise<void> {
    this.#tellHealth('NOT_SERVING');
    await this.#within(this.#options.requestTimeoutMs, (late) => this.#calls.ended(late));
    if (!this.#stopped) this.#handingOn.abort(drained());
  }

  async #within(ms: number, run: (late: AbortSignal) => Promise<void>): Promise<void> {
    const over = new AbortController();
    const late = sleep(this.#options.clock, ms, over.signal).catch(() => {});
    await Promise.race([run(over.signal), late]);
    over.abort();
  }

  #tellHealth(status: 'SERVING' | 'NOT_SERVING'): void {
    for (const name of healthNames) this.#health.setStatus(name, status);
  }

  async #watchHealth(): Promise<void> {
    const { upstream, clock, logger } = this.#options;
    const call = { deadlineMs: clock.monotonicMs() + healthIntervalMs, signal: new AbortController().signal };
    this.#timer = clock.timer(healthPatienceMs, () => this.#tellHealth('NOT_SERVING'));
    const ready = await upstream.status(call).then(
      (status) => status.ready,
      (error: unknown) => {
        logger.log('warn', 'the node cannot tell its status', { error: String(error) });
        return false;
      },
    );
    this.#timer.cancel();
    if (this.#stopped) return;
    this.#tellHealth(ready ? 'SERVING' : 'NOT_SERVING');
    this.#timer = clock.timer(healthIntervalMs, () => void this.#watchHealth());
  }
}

/** Serves a request to drain the node: only an administrator's. */
function drainBy({ drain }: Pick<RpcServerOptions, 'drain'>, entrance: Entrance): Drain {
  return (served, request) => {
    if (drain === undefined) {
      throw new MeridianError('UNIMPLEMENTED', 'this listener drains nothing', { reason: 'not-drained-here' });
    }
    return entrance.administer(callerOf(served), request.stop ? 'node.stop' : 'node.drain', () => drain(request));
  };
}

function sessionGuard(
  options: RpcServerOptions & { readonly entrance: Entrance },
  uploads: UploadGuard,
  observer: RpcObserver,
): SessionGuard {
  const { clock, callsMax = bounds.callsMax } = options;
  const { connectionsMax = bounds.connectionsMax, connectionsPerAddressMax = connectionsMax } = options;
  const methods = Object.values(services).flatMap(({ service }) => Object.values(service));
  const watch = services.kv.service['Watch']?.path;
  const unary = new Set(methods.filter(({ responseStream }) => !responseStream).map(({ path }) => path));
  return new SessionGuard({
    ...{ clock, uploads, connectionsMax, connectionsPerAddressMax, callsMax },
    isUnary: (path) => unary.has(path),
    // Small messages of a watch may wait for as long as its client likes.
    unreadBytesMin: (path) => (unary.has(path) ? 1 : path === watch ? options.rooms.answers.largeBytesMin : undefined),
    shareOf: (connection, address) => options.entrance.shareOf(connection, address),
    idleMs: options.requestTimeoutMs,
    refusal: (caller) => {
      try {
        options.entrance.enter(caller);
        return undefined;
      } catch (error) {
        return toMeridianError(error);
      }
    },
    rejected: (reason) => observer.answered('none', 'RESOURCE_EXHAUSTED', reason, 0),
  });
}

/**
 * Followers, Pipeline, health and reflection may be idle between their messages, but not within one: health and
 * reflection answer strangers.
 */
function uploadGuard({ rooms, clock, requestTimeoutMs }: RpcServerOptions): UploadGuard {
  const batch = services.kv.service['Write']?.path;
  const follow = services.feed.service['Follow']?.path;
  const pipeline = services.kv.service['Pipeline']?.path;
  return new UploadGuard({
    room: rooms.uploads,
    clock,
    idleMs: requestTimeoutMs,
    isFramed: (path) => path === pipeline || path === follow || !path.startsWith('/meridian.'),
    isBatch: (path) => path === batch,
  });
}

/**
 * The KV service, and what makes parts of its messages. Its Pipeline is bytes on both sides; so are answers to writes,
 * and the answer to a Get that is a hit.
 */
function kvDefinition(): Pick<PipelineOptions, 'serialize' | 'deserialize'> &
  Pick<KvHandlersOptions, 'serializeGet'> & { readonly definition: ServiceDefinition } {
  const { Pipeline: pipeline, Get: get, Put: put, Delete: remove, Write: write } = services.kv.service;
  if (pipeline === undefined || get === undefined || write === undefined) {
    throw new Error('proto/ defines no KV.Pipeline, no KV.Get or no KV.Write');
  }
  const asItIs = (bytes: Buffer): Buffer => bytes;
  const serializeGet = (message: object) => get.responseSerialize(message);
  const hot = {
    Pipeline: { ...pipeline, requestDeserialize: asItIs, responseSerialize: asItIs },
    Get: { ...get, responseSerialize: orBytes(serializeGet) },
    Put: { ...put, responseSerialize: asItIs },
    Delete: { ...remove, responseSerialize: asItIs },
    Write: {
      ...write,
      requestDeserialize: (message: Buffer) => readWritePart(message, (header) => write.requestDeserialize(header)),
      responseSerialize: asItIs,
    },
  };
  return {
    definition: strictService({ ...services.kv.service, ...hot } as unknown as ServiceDefinition),
    serializeGet,
    serialize: (message) => pipeline.responseSerialize(message),
    deserialize: (part) => pipeline.requestDeserialize(part) as object,
  };
}

/** Leaves what is bytes already as it is. */
function orBytes<M extends object>(serialize: (message: M) => Buffer): (message: M | Buffer) => Buffer {
  return (message) => (message instanceof Buffer ? message : serialize(message as M));
}

/** The Feed service, whose answers may be bytes already. */
function feedDefinition(): {
  readonly definition: ServiceDefinition;
  readonly serialize: (message: WireFollowResponse) => Buffer;
} {
  const { Follow: follow } = services.feed.service;
  if (follow === undefined) throw new Error('proto/ defines no Feed.Follow');
  const serialize = (message: WireFollowResponse) => follow.responseSerialize(message);
  const responseSerialize = orBytes(serialize);
  const definition = { Follow: { ...follow, responseSerialize } } as unknown as ServiceDefinition;
  return { definition, serialize };
}
