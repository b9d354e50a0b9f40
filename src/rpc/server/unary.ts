import type { handleUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import { isMeridianError } from '../../model/errors.ts';
import { requestIdHeader } from '../../model/request-id.ts';
import type { Upstream } from '../../model/upstream.ts';
import { withEither } from '../../runtime/with-either.ts';
import { toStatus } from '../status.ts';
import { callOf, type Served, signalOf, type Timing } from './call-of.ts';
import { CallRecord } from './call-record.ts';
import { readable } from './strict-requests.ts';

/**
 * A handler that decodes, calls the node as its caller may use it, encodes, and translates errors. What the node has at
 * once is answered at once.
 */
export function unary<Q, A>(
  timing: Timing,
  answer: (request: Q, call: Call, upstream: Upstream, served: Served) => Promise<A> | A,
): handleUnaryCall<Q, A> {
  return (served, callback) =>
    respond(timing, served, callback, (call, upstream) => answer(readable(served.request), call, upstream, served));
}

/** Answers with one message, however many messages the request had. */
export function respond<A>(
  timing: Timing,
  served: Served,
  callback: sendUnaryData<A>,
  answer: (call: Call, upstream: Upstream) => Promise<A> | A,
): void {
  const record = new CallRecord(timing, served);
  const ended = counted(timing, record);
  const done = (response: A) => {
    callback(null, response);
    ended();
  };
  const failed = (error: unknown) => {
    callback(statusOf(error, record));
    ended(error);
  };
  let answered: Promise<A> | A;
  try {
    answered = answer(callOf(served, timing, record), timing.enter(served));
  } catch (error) {
    failed(error);
    return;
  }
  if (answered instanceof Promise) {
    answered.then((response) => {
      record.giveId();
      done(response);
    }, failed);
    return;
  }
  // An answer given at once has an id only if its caller brought one.
  if (record.broughtId !== undefined) record.giveId();
  done(answered);
}

function statusOf(error: unknown, record: CallRecord) {
  const failure = toStatus(error);
  failure.metadata?.set(requestIdHeader, record.requestId);
  return failure;
}

type ServedStream = Served & { end(): unknown; emit(event: 'error', error: Error): unknown };

/** Serves a stream that ends by itself. */
export function stream(timing: Timing, served: ServedStream, run: (call: Call) => Promise<void>): void {
  const record = new CallRecord(timing, served);
  record.giveId();
  streamUntil(served, () => run(callOf(served, timing, record)), counted(timing, record));
}

/** Serves a stream that lasts as long as its caller and this node do: when the node stops, the caller is told. */
export function endlessStream(
  timing: Timing,
  served: ServedStream,
  run: (signal: AbortSignal, record: CallRecord) => Promise<void>,
): void {
  const { stopping } = timing;
  const record = new CallRecord(timing, served, true);
  record.giveId();
  const orStopping = () => {
    return withEither([signalOf(served), stopping], (signal) => run(signal, record)).then(
      () => stopping.throwIfAborted(),
      (error: unknown) => {
        // A stream that was drained before says so itself.
        if (!isMeridianError(error) || error.details.reason !== 'drained') stopping.throwIfAborted();
        throw error;
      },
    );
  };
  streamUntil(served, orStopping, (error) => record.ended(error));
}

function streamUntil(served: ServedStream, run: () => Promise<void>, ended: (error?: unknown) => void): void {
  run().then(
    () => {
      served.end();
      ended();
    },
    (error: unknown) => {
      // gRPC sends the status once an `error` is emitted; a destroyed stream would send none, and its caller would wait
      // until its own deadline.
      served.emit('error', toStatus(error));
      ended(error);
    },
  );
}

function counted(timing: Timing, record: CallRecord): (error?: unknown) => void {
  const ended = timing.calls.begin();
  return (thrown) => {
    ended();
    record.ended(thrown);
  };
}

export interface Sending<A> {
  write(message: A, sent: (error?: Error | null) => void): boolean;
}

/**
 * Writes one message and waits until the transport has taken it. For large messages: a stream of objects counts sixteen
 * of them as little, whatever their size. @throws the signal's reason
 */
export async function sendTo<A>(served: Sending<A>, message: A, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    served.write(message, (error) => {
      signal.removeEventListener('abort', aborted);
      if (error) reject(error);
      else resolve();
    });
  });
}

interface Writing<A> {
  write(message: A): boolean;
  once(event: 'drain', run: () => void): unknown;
  off(event: 'drain', run: () => void): unknown;
}

/** Writes one message and waits while the other side reads slowly. @throws the signal's reason */
export async function writeTo<A>(served: Writing<A>, message: A, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (served.write(message)) return;
  await new Promise<void>((resolve, reject) => {
    const settle = () => {
      served.off('drain', drained);
      signal.removeEventListener('abort', aborted);
    };
    const drained = () => {
      settle();
      resolve();
    };
    const aborted = () => {
      settle();
      reject(signal.reason);
    };
    served.once('drain', drained);
    signal.addEventListener('abort', aborted, { once: true });
  });
}
