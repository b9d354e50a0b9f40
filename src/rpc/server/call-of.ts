import type { Metadata } from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import type { Caller } from '../../model/entrance.ts';
import { MeridianError } from '../../model/errors.ts';
import { type BroughtTrace, type Tracer, traceparentHeader, tracestateHeader } from '../../model/trace.ts';
import type { Upstream } from '../../model/upstream.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { understoodCertificate } from '../../runtime/peer-certificate.ts';
import type { RequestIds } from '../../runtime/request-ids.ts';
import type { RpcObserver } from '../observer.ts';
import { forwardedHeader, hopsHeader } from '../proto.ts';
import type { CallRecord } from './call-record.ts';
import type { CallsUnderWay } from './calls-under-way.ts';

export interface Timing {
  readonly clock: Clock;
  /** Milliseconds for a call whose caller set no deadline. */
  readonly requestTimeoutMs: number;
  readonly observer: RpcObserver;
  readonly logger: Logger;
  readonly requestIds: RequestIds;
  /** Unset = nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** The calls that end by themselves. */
  readonly calls: CallsUnderWay;
  /** Aborted when the node begins to stop: from then on streams of calls begin none. */
  readonly draining: AbortSignal;
  /** Aborted once a draining node has answered what was under way: followers and watches must go elsewhere. */
  readonly handingOn: AbortSignal;
  /** Aborted when streams that do not end by themselves must end, with what to tell their callers. */
  readonly stopping: AbortSignal;
  /** The node as the caller may use it. @throws as `Entrance.enter` */
  readonly enter: (served: Served) => Upstream;
}

/** What every kind of gRPC call offers. */
export interface Served {
  getPath(): string;
  /** Address and port of the other side, which name the connection. */
  getPeer(): string;
  readonly metadata?: { get(key: string): readonly unknown[] };
  getDeadline(): Date | number;
  /** Set for a connection whose certificate the node's CA of clients vouches for. */
  getAuthContext?(): { readonly sslPeerCertificate?: Parameters<typeof understoodCertificate>[0] };
  sendMetadata?(headers: Metadata): void;
  /** The caller is gone already. */
  readonly cancelled?: boolean;
  on(event: 'cancelled', run: () => void): unknown;
}

/** The share of a caller's time that an answer gets to travel: a caller's library drops what comes at its deadline. */
const travelShare = 0.1;
const travelMsMax = 250;

/** gRPC's call as the model's Call: the deadline by the monotonic clock, and cancellation. */
export function callOf(
  served: Served,
  { clock, requestTimeoutMs }: Pick<Timing, 'clock' | 'requestTimeoutMs'>,
  record?: CallRecord,
): Call {
  const deadline = served.getDeadline();
  const wallMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  const givenMs = Number.isFinite(wallMs) ? wallMs - clock.wallMs() : requestTimeoutMs;
  const leftMs = givenMs - Math.min(givenMs * travelShare, travelMsMax);
  const forwarded = isForwarded(served);
  const hops = hopsOf(served);
  let signal: AbortSignal | undefined;
  return {
    deadlineMs: clock.monotonicMs() + leftMs,
    /**
     * Made when it is first read, which a read answered from memory never does: gRPC reports every call, answered ones
     * too, as cancelled when its stream closes, and an abort each time costs more than a read.
     */
    get signal() {
      signal ??= signalOf(served);
      return signal;
    },
    get requestId() {
      return record?.requestId;
    },
    trace: record?.trace,
    ...(forwarded ? { forwarded } : {}),
    ...(Number.isInteger(hops) && hops > 0 ? { hops } : {}),
  };
}

/** The trace that a call brings from its caller. */
export function broughtTrace(served: Served): BroughtTrace {
  const [traceparent] = served.metadata?.get(traceparentHeader) ?? [];
  const [tracestate] = served.metadata?.get(tracestateHeader) ?? [];
  return { traceparent, tracestate, isPassedOn: isForwarded(served) || hopsOf(served) > 0 };
}

function hopsOf({ metadata }: Served): number {
  return Number(metadata?.get(hopsHeader)[0] ?? 0);
}

function isForwarded({ metadata }: Served): boolean {
  return (metadata?.get(forwardedHeader).length ?? 0) > 0;
}

/** What a call says of its caller. A call with two tokens has no valid one. */
export function callerOf(served: Served): Caller {
  const [authorization, ...more] = served.metadata?.get('authorization') ?? [];
  const isOne = typeof authorization === 'string' && more.length === 0;
  return {
    authorization: isOne || authorization === undefined ? authorization : '',
    address: served.getPeer().replace(/:\d+$/, ''),
    certificate: () => understoodCertificate(served.getAuthContext?.().sslPeerCertificate),
  };
}

/** Aborted when the caller goes away. */
export function signalOf(served: Pick<Served, 'on' | 'cancelled'>): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    controller.abort(new MeridianError('CANCELLED', 'the caller went away', { reason: 'cancelled' }));
  };
  if (served.cancelled === true) abort();
  else served.on('cancelled', abort);
  return controller.signal;
}
