import type { handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import { toStatus } from '../status.ts';
import { callOf, type Timing } from './call-of.ts';

/** A handler that decodes, calls, encodes and translates what is thrown. */
export function unary<Q, A>(timing: Timing, answer: (request: Q, call: Call) => Promise<A>): handleUnaryCall<Q, A> {
  return (served: ServerUnaryCall<Q, A>, callback) => {
    const respond = async (): Promise<A> => answer(served.request, callOf(served, timing));
    respond().then(
      (response) => callback(null, response),
      (error: unknown) => callback(toStatus(error)),
    );
  };
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

/**
 * Ends a stream with what it failed with. gRPC sends the status once an `error` is emitted; a destroyed stream would
 * send none, and its caller would wait until its own deadline.
 */
export function failStream(served: { emit(event: 'error', error: Error): unknown }, thrown: unknown): void {
  served.emit('error', toStatus(thrown));
}
