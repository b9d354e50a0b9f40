import { MeridianError } from '../model/errors.ts';
import type { TraceContext } from '../model/trace.ts';
import { RemoteUpstream } from '../rpc/client/remote-upstream.ts';
import { systemRandom } from '../runtime/random.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { ClusterHandle } from './cluster-handle.ts';
import { clientTls, type TlsOptions } from './tls-options.ts';

export type { Member, NodeStatus } from '../model/cluster.ts';
export { type ErrorCode, type ErrorDetails, isMeridianError, MeridianError } from '../model/errors.ts';
export type { NamespaceInfo } from '../model/namespace.ts';
export type { IssuedToken, Right, TokenInfo, TokenLimits } from '../model/token.ts';
export type { TraceContext } from '../model/trace.ts';
export type { Answer, AnswerSource } from './answer.ts';
export type { BatchMutation, BatchResult } from './batch-write.ts';
export type { CallOptions, DeleteOptions, PutOptions, ReadOptions, WriteOptions } from './call-options.ts';
export type { Change, WatchOptions } from './change.ts';
export type { ClusterHandle } from './cluster-handle.ts';
export type { EdgeHandle, EdgeNamespace } from './edge-handle.ts';
export type { Entry, Key, ListOptions, ListResult } from './listing.ts';
export type { GetOptions, Namespace, PrefixOptions } from './namespace.ts';
export type { ChangedNamespace } from './namespace-admin.ts';
export { type OpenEdgeOptions, openEdge } from './open-edge.ts';
export type { TlsOptions } from './tls-options.ts';
export type { CreateTokenOptions, RotateTokenOptions, TokenAdmin } from './token-admin.ts';
export type { ValueBody } from './value-body.ts';

export interface ConnectOptions {
  /** `host:port` of one or more nodes, best first. The client stays with one that answers and moves on when it fails. */
  readonly endpoints: readonly string[];
  /** Milliseconds that a call may take which names no time itself. Default 30 000. */
  readonly timeoutMs?: number;
  /**
   * Whether reads reflect what this handle wrote and saw before, whichever node answers. Default true. Without, each
   * answer is as old as its own bound says.
   */
  readonly sessions?: boolean;
  /** The token that every call presents, or what tells the one of now. Needed where the nodes ask for tokens. */
  readonly token?: string | (() => string);
  /** Default: false, in the clear. True checks nodes by the public certification authorities. */
  readonly tls?: boolean | TlsOptions;
  /**
   * `pipeline`: gets and small writes of one turn of the event loop travel in one message of one stream, where the node
   * serves that; `unary`: each is a call of its own, at several times the cost. Default `pipeline`.
   */
  readonly protocol?: 'pipeline' | 'unary';
  /**
   * Asked at each call for the step of a trace that the call belongs to, as W3C Trace Context names it; undefined = none. A
   * call whose trace is sampled goes by itself, past Pipeline, and nodes that trace add their steps below that step.
   */
  readonly traceContext?: () => TraceContext | undefined;
}

/**
 * A handle on a cluster. It connects at the first call, reconnects by itself, and holds connections until `close`.
 * @throws INVALID_ARGUMENT where no endpoint is given, or one that is no `host:port`
 */
export function connect({
  endpoints,
  timeoutMs = 30_000,
  sessions = true,
  protocol = 'pipeline',
  traceContext,
  ...access
}: ConnectOptions): ClusterHandle {
  if (endpoints.length === 0) {
    throw new MeridianError('INVALID_ARGUMENT', 'connect needs at least one endpoint', { reason: 'no-endpoint' });
  }
  for (const endpoint of endpoints) checkEndpoint(endpoint);
  const { token } = access;
  const credential = typeof token === 'function' ? token : () => token;
  const tls = clientTls(access.tls);
  const over = { clock: systemClock, pipelined: protocol === 'pipeline', credential, tls: () => tls };
  const nodes = endpoints.map((address) => new RemoteUpstream({ address, ...over }));
  return new ClusterHandle({ nodes, clock: systemClock, random: systemRandom, timeoutMs, sessions, traceContext });
}

/** Without a port gRPC would try 443, and what is no name at all fails only when it is called. */
function checkEndpoint(endpoint: string): void {
  const port = /^(?:[^\s:/[\]]+|\[[^\s/[\]]+\]):(\d{1,5})$/.exec(endpoint)?.[1];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return;
  const message = `an endpoint must be host:port, such as 127.0.0.1:7100 or [::1]:7100; it is "${endpoint}"`;
  throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-address' });
}
