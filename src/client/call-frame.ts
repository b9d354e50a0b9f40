import type { Call } from '../model/call.ts';
import { isMeridianError, MeridianError } from '../model/errors.ts';
import type { ReadOptions as ModelReadOptions } from '../model/key-value.ts';
import { isSampled, isTraceparent, passedTrace, type Trace, type TraceContext } from '../model/trace.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { withEither } from '../runtime/with-either.ts';
import type { CallOptions, ReadOptions } from './call-options.ts';
import type { Endpoints } from './endpoints.ts';
import type { SessionKeeper } from './session-keeper.ts';

/** What the parts of one cluster handle share. */
export interface ClientContext {
  readonly endpoints: Endpoints;
  readonly session: SessionKeeper;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds that a call may take which names no time itself. */
  readonly timeoutMs: number;
  /** As `ConnectOptions.traceContext`. */
  readonly traceContext?: (() => TraceContext | undefined) | undefined;
  /** Aborted when the handle is closed. */
  readonly closing: AbortSignal;
}

/** How often a call is tried again that a node refused for now. */
const retriesMax = 5;
/** A day, as of --timeout: beyond 24 days timers run at once, and beyond what gRPC can spell it fails outside of every promise. */
const timeoutMsMax = 86_400_000;

/**
 * Runs with the deadline and the signal of one call.
 * A node that refuses it for now, and says when to come again, is asked again then.
 * @throws INVALID_ARGUMENT (a timeout that is none), CANCELLED (closed or aborted)
 */
export async function inCall<T>(
  context: ClientContext,
  options: CallOptions,
  run: (call: Call) => Promise<T>,
): Promise<T> {
  const { clock, timeoutMs, closing } = context;
  const limit = Math.min(checkedTimeout(options.timeoutMs ?? timeoutMs), timeoutMsMax);
  const begin = (signal: AbortSignal): Promise<T> => {
    if (signal.aborted) {
      const why = closing.aborted ? 'the client is closed' : 'the call was aborted before it began';
      throw new MeridianError('CANCELLED', why, { reason: 'cancelled', cause: signal.reason });
    }
    const deadlineMs = clock.monotonicMs() + limit;
    const trace = traceOf(context);
    const call = trace === undefined ? { deadlineMs, signal } : { deadlineMs, signal, trace };
    return run(call).catch((error: unknown) => again(context, call, run, error));
  };
  // The common call has no signal of its own, and pays for no combination. JavaScript says null for none, as to fetch.
  const signal = options.signal ?? undefined;
  return signal === undefined ? begin(closing) : withEither([closing, signal], async (s) => begin(s));
}

/** A text would be written behind the time of now. @throws INVALID_ARGUMENT */
function checkedTimeout(timeoutMs: number): number {
  if (isTimeout(timeoutMs)) return timeoutMs;
  const seen = typeof timeoutMs === 'string' ? JSON.stringify(timeoutMs) : String(timeoutMs);
  throw new MeridianError('INVALID_ARGUMENT', `timeoutMs must be a number, more than 0; it is ${seen}`, {
    reason: 'bad-timeout',
  });
}

export function isTimeout(value: unknown): boolean {
  return typeof value === 'number' && value > 0;
}

/**
 * What is refused with a delay was not begun, writes neither, so that it can be asked again. The delay doubles with each
 * try, and is drawn from once to twice that, so that those who were refused together do not come back together.
 */
async function again<T>(
  { clock, random }: ClientContext,
  call: Call,
  run: (call: Call) => Promise<T>,
  refusal: unknown,
): Promise<T> {
  let error = refusal;
  if (isReasonOf(call.signal, error)) throw givenUp(error);
  for (let tries = 0; ; tries++) {
    if (!isMeridianError(error, 'RESOURCE_EXHAUSTED') || tries >= retriesMax) throw error;
    const { retryAfterMs } = error.details;
    if (retryAfterMs === undefined) throw error;
    const waitMs = retryAfterMs * 2 ** tries * (1 + random.fraction());
    if (clock.monotonicMs() + waitMs >= call.deadlineMs) throw error;
    const cause = error;
    await sleep(clock, waitMs, call.signal).catch(() => {
      throw givenUp(cause);
    });
    try {
      return await run(call);
    } catch (next) {
      error = next;
    }
  }
}

/** Whether it is what the signal was aborted with, as whatever waits in this process throws it. */
function isReasonOf({ aborted, reason }: AbortSignal, error: unknown): boolean {
  return aborted && error === reason && !isMeridianError(error);
}

function givenUp(cause: unknown): MeridianError {
  return new MeridianError('CANCELLED', 'the call was given up', { reason: 'cancelled', cause });
}

/** What is no trace, or one that nobody tells of, costs the call nothing. */
function traceOf({ traceContext }: ClientContext): Trace | undefined {
  const given = traceContext?.();
  if (given === undefined || !isTraceparent(given.traceparent) || !isSampled(given.traceparent)) return undefined;
  return passedTrace(given);
}

/** What a read request carries besides its key. */
export function toReadOptions(context: ClientContext, namespace: string, options: ReadOptions): ModelReadOptions {
  const seconds = acceptedSeconds(options);
  return {
    namespace,
    session: context.session.current,
    ...(seconds === undefined ? {} : { maxStalenessMs: seconds * 1000 }),
    ...(options.atOrigin === true ? { atOrigin: true } : {}),
  };
}

function acceptedSeconds({ maxStaleness, cacheTtl }: ReadOptions): number | undefined {
  const name = maxStaleness === undefined ? 'cacheTtl' : 'maxStaleness';
  const given: unknown = maxStaleness ?? cacheTtl;
  if (given === undefined) return undefined;
  // As in Workers, a cacheTtl may be a text and loses its fraction.
  const seconds = name === 'cacheTtl' && given !== null ? Math.trunc(Number(given)) : given;
  if (typeof seconds === 'number' && seconds >= 0 && Number.isFinite(seconds)) return seconds;
  throw new MeridianError('INVALID_ARGUMENT', `${name} must be seconds, 0 or more; it is ${String(given)}`, {
    reason: name === 'cacheTtl' ? 'bad-cache-ttl' : 'bad-max-staleness',
  });
}
