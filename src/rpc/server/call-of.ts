import type { Call } from '../../model/call.ts';
import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { RpcObserver } from '../observer.ts';
import { forwardedHeader } from '../proto.ts';

export interface Timing {
  readonly clock: Clock;
  /** Milliseconds for a call whose caller set no deadline. */
  readonly requestTimeoutMs: number;
  readonly observer: RpcObserver;
}

/** What every kind of gRPC call offers. */
export interface Served {
  getPath(): string;
  readonly metadata?: { get(key: string): readonly unknown[] };
  getDeadline(): Date | number;
  on(event: 'cancelled', run: () => void): unknown;
}

/** How much of a caller's time an answer gets to travel: what comes at its deadline is thrown away by its library. */
const travelShare = 0.1;
const travelMsMax = 250;

/** What gRPC says of a call, as the model's Call: the deadline by the monotonic clock, and cancellation. */
export function callOf(served: Served, { clock, requestTimeoutMs }: Pick<Timing, 'clock' | 'requestTimeoutMs'>): Call {
  const deadline = served.getDeadline();
  const wallMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  const givenMs = Number.isFinite(wallMs) ? wallMs - clock.wallMs() : requestTimeoutMs;
  const leftMs = givenMs - Math.min(givenMs * travelShare, travelMsMax);
  const forwarded = (served.metadata?.get(forwardedHeader).length ?? 0) > 0;
  const call = { deadlineMs: clock.monotonicMs() + leftMs, signal: signalOf(served) };
  return forwarded ? { ...call, forwarded } : call;
}

/** Aborted when the caller goes away. */
export function signalOf(served: Pick<Served, 'on'>): AbortSignal {
  const controller = new AbortController();
  served.on('cancelled', () => {
    controller.abort(new MeridianError('CANCELLED', 'the caller went away', { reason: 'cancelled' }));
  });
  return controller.signal;
}
