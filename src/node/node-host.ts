import { fileURLToPath } from 'node:url';
import type { TokenSource } from '../access/grant.ts';
import type { Address, MappedDatabase } from '../config/option.ts';
import { HttpListener, type HttpListenerOptions } from '../http/http-listener.ts';
import { type NodeReport, NodeRoutes } from '../http/node-routes.ts';
import { PageSurface } from '../http/page/page-surface.ts';
import { BindingSurface } from '../http/workers/binding-surface.ts';
import { RestSurface } from '../http/workers/rest-surface.ts';
import type { Expiries } from '../metrics/expiry-metrics.ts';
import type { NodeMetrics } from '../metrics/node-metrics.ts';
import type { Call } from '../model/call.ts';
import type { DrainProgress, DrainRequest } from '../model/cluster.ts';
import type { Entrance } from '../model/entrance.ts';
import { MeridianError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Upstream } from '../model/upstream.ts';
import { RespListener, type RespListenerOptions } from '../resp/resp-listener.ts';
import { RpcServer } from '../rpc/server/rpc-server.ts';
import { AnswerRoom } from '../runtime/answer-room.ts';
import type { Clock, ExpiryClock } from '../runtime/clock.ts';
import type { Draining } from '../runtime/draining.ts';
import type { Rooms } from '../runtime/rooms.ts';
import { UploadRoom } from '../runtime/upload-room.ts';
import type { Access } from './access.ts';
import type { Closing } from './closing.ts';
import type { Outside } from './outside.ts';
import type { RunningNode } from './running-node.ts';
import { softwareVersion } from './software-version.ts';
import type { NodeTls } from './tls-files.ts';

export interface NodeHostOptions {
  readonly outside: Outside;
  readonly metrics: NodeMetrics;
  readonly access: Access;
  readonly nodeTls: NodeTls;
  /** What the node opened so far; its listeners join it. */
  readonly closing: Closing;
  /** By which the node judges expiry. */
  readonly expiryClock: ExpiryClock;
  /** What else expires, for its metrics. */
  readonly expiries?: Pick<Expiries, 'nextToken'>;
  readonly listen: Address;
  readonly http: Address;
  /** Unset = no Redis protocol. */
  readonly redis?: Address | undefined;
  readonly redisDatabases: readonly MappedDatabase[];
  /** Of an edge: milliseconds past a read's bound that it serves while it refreshes. */
  readonly staleWhileRevalidateMs?: number;
  readonly requestTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** Milliseconds for calls under way, asked once the node stops. Default: `drainTimeoutMs`. */
  readonly drainMs?: () => number;
  /** Of each listener, idle ones too. */
  readonly connectionsMax: number;
  /** Of each listener, of one remote address; 0 = as many as there may be. */
  readonly connectionsPerAddressMax: number;
  /** Bytes of large values in memory for answers, of both listeners. */
  readonly answerMemoryBytes: number;
  /** Bytes of large requests in memory, of both listeners. */
  readonly uploadMemoryBytes: number;
  /** Bytes of the largest write. */
  readonly requestBytesMax: number;
  /** Begun where the node takes no new traffic. */
  readonly draining: Draining;
  /** Does what an administrator asks. Default: drains this process, and stops it. */
  readonly drain?: (request: DrainRequest) => Promise<DrainProgress>;
  /** What `/metrics` tells. Default: what `metrics` holds. */
  readonly scrape?: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Where the build puts the page: from here as from the joined files, which lie as deep. */
const pageFiles = new URL('../page-files/', import.meta.url);

/** Bytes of a request that carries one value, with what stands beside it: a form's other fields, say. */
const valueRequestBytesMax = limits.valueBytesMax + 1024 * 1024;

/** Milliseconds for a node to tell its status when it is scraped or asked whether it is ready. */
const statusMs = 3_000;
/** Milliseconds for requests over HTTP that came while the other listeners took all their time to drain. */
const httpMsMin = 500;
const neverAborted = new AbortController().signal;

/** Serves an Upstream, whatever it is, over gRPC and HTTP. */
export async function hostNode(upstream: Upstream & TokenSource, options: NodeHostOptions): Promise<RunningNode> {
  const { outside, metrics, closing, expiryClock, listen, http, requestTimeoutMs } = options;
  const { clock, logger, tracer } = outside;
  const entrance = options.access.entranceOf(upstream);
  const { server: tls } = options.nodeTls;
  const [connections, rooms] = [connectionsOf(options), roomsOf(options)];
  metrics.watchExpiries({ certificates: options.nodeTls.expiries, ...options.expiries });
  const statusOrNone = () => upstream.status(statusCall(clock)).catch((): undefined => undefined);
  const { draining, drain, scrape = async () => metrics.scrape(await statusOrNone()) } = options;
  const report = { metrics: scrape, status: (call: Call) => upstream.status(call), entrance };
  const routes = routesOf(report, clock, draining);
  const listener = new HttpListener({
    surfaces: surfacesOf(entrance, routes, { clock, expiryClock, rooms }),
    ...{ clock, logger, tracer, observer: metrics.http, exchangeMs: requestTimeoutMs, ...connections, tls },
    ...{ isDraining: () => draining.hasBegun, ownNames: options.access.asksForTokens ? undefined : [http.host] },
    shareOf: (socket) => entrance.shareOf(socket, socket.remoteAddress ?? ''),
  });
  const serving = { upstream, entrance, tls, clock, logger, tracer, requestTimeoutMs, observer: metrics.rpc, rooms };
  const drained = drainOrStop(draining, () => server.callsUnderWay);
  const server: RpcServer = new RpcServer({ ...serving, ...connections, draining, drain: drain ?? drained });
  const stopped = drainedTogether(options);
  const httpAddress = await listener.start(http.host, http.port);
  closing.add('HTTP listener', () => listener.stop(stopped.leftMs()));
  closing.add('gRPC and Redis listeners', stopped.others);
  const grpcAddress = await server.start(listen.host, listen.port);
  stopped.add((drainMs) => server.stop(drainMs));
  const redisAddress = await startRedis(options, { entrance, tls, rooms, connections, stopped });
  return {
    grpcAddress,
    httpAddress,
    ...(redisAddress === undefined ? {} : { redisAddress }),
    ready: async () => (await statusOrNone())?.ready === true,
    stopAsked: draining.stopAsked,
    drain: () => drained({ stop: false }),
    stop: async () => {
      routes.drain();
      await closing.close();
    },
  };
}

/**
 * Stops the listeners within the time that one of them may take: whoever stops the process waits for no more. HTTP is last:
 * while the others drain, it still tells that the node is not ready.
 */
function drainedTogether({ outside: { clock }, drainTimeoutMs, drainMs = () => drainTimeoutMs }: NodeHostOptions) {
  const stops: Array<(drainMs: number) => Promise<void>> = [];
  let untilMs = 0;
  return {
    add: (stop: (drainMs: number) => Promise<void>) => void stops.push(stop),
    others: async () => {
      const ms = drainMs();
      untilMs = clock.monotonicMs() + ms;
      await Promise.all(stops.map((stop) => stop(ms)));
    },
    leftMs: () => Math.max(Math.min(httpMsMin, drainTimeoutMs), untilMs - clock.monotonicMs()),
  };
}

function statusCall(clock: Clock): Call {
  return { deadlineMs: clock.monotonicMs() + statusMs, signal: neverAborted };
}

function routesOf(report: NodeReport, clock: Clock, draining: Draining): NodeRoutes {
  const routes = new NodeRoutes(report, clock);
  if (draining.hasBegun) routes.drain();
  else draining.signal.addEventListener('abort', () => routes.drain(), { once: true });
  return routes;
}

/** Drains this process, and ends it where that is asked for. */
function drainOrStop(draining: Draining, calls: () => number): NonNullable<NodeHostOptions['drain']> {
  return async ({ stop }) => {
    draining.begin();
    if (stop) draining.askStop();
    return { calls: calls() };
  };
}

function surfacesOf(
  entrance: Entrance,
  routes: NodeRoutes,
  shared: {
    readonly clock: Clock;
    readonly expiryClock: ExpiryClock;
    readonly rooms: Rooms;
  },
): HttpListenerOptions['surfaces'] {
  const { clock, expiryClock, rooms } = shared;
  return [
    // First: a request that names a namespace is the binding's whatever its path, for a key may be called `metrics`.
    { name: 'binding', surface: new BindingSurface(entrance, clock, rooms, expiryClock) },
    { name: 'rest', surface: new RestSurface(entrance, clock, rooms, expiryClock) },
    { name: 'node', surface: routes, always: true },
    { name: 'page', surface: new PageSurface({ entrance, ...shared, filesFolder: fileURLToPath(pageFiles) }) },
  ];
}

/** Where it listens; undefined where nobody asked for it. */
async function startRedis(
  { redis, redisDatabases, outside, metrics, ...options }: NodeHostOptions,
  {
    connections,
    stopped,
    ...shared
  }: Pick<RespListenerOptions, 'entrance' | 'tls' | 'rooms'> & {
    readonly connections: ReturnType<typeof connectionsOf>;
    readonly stopped: Pick<ReturnType<typeof drainedTogether>, 'add'>;
  },
): Promise<string | undefined> {
  if (redis === undefined) return undefined;
  const { requestTimeoutMs, staleWhileRevalidateMs = 0 } = options;
  const listener = new RespListener({
    ...{ ...outside, requestTimeoutMs, staleWhileRevalidateMs, ...shared, ...connections },
    observer: metrics.forResp(),
    version: softwareVersion(),
    databases: databasesOf(redisDatabases),
  });
  const address = await listener.start(redis.host, redis.port);
  stopped.add((drainMs) => listener.stop(drainMs));
  return address;
}

/** @throws INVALID_ARGUMENT where a number stands for two namespaces, or for the registry */
function databasesOf(mapped: readonly MappedDatabase[]): ReadonlyMap<number, string> {
  const databases = new Map<number, string>();
  for (const { number, namespace } of mapped) {
    const isTwice = databases.has(number);
    if (!isTwice && namespace !== registryNamespace) {
      databases.set(number, namespace);
      continue;
    }
    const why = isTwice
      ? `names database ${number} twice`
      : 'names the registry, which is no namespace to read or write';
    throw new MeridianError('INVALID_ARGUMENT', `--redis-database ${why}`, { reason: 'bad-option' });
  }
  return databases;
}

function connectionsOf({ connectionsMax, connectionsPerAddressMax: perAddress }: NodeHostOptions) {
  return { connectionsMax, connectionsPerAddressMax: perAddress === 0 ? connectionsMax : perAddress };
}

/** The memory that all listeners of a process share. */
export function roomsOf({
  answerMemoryBytes,
  uploadMemoryBytes,
  requestBytesMax,
}: Pick<NodeHostOptions, 'answerMemoryBytes' | 'uploadMemoryBytes' | 'requestBytesMax'>): Rooms {
  return {
    answers: new AnswerRoom({ bytesMax: answerMemoryBytes }),
    uploads: new UploadRoom({ bytesMax: uploadMemoryBytes, valueBytesMax: valueRequestBytesMax, requestBytesMax }),
  };
}
