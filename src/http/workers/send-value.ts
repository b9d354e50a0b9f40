import type { ServerResponse } from 'node:http';
import type { HttpCall } from '../exchange.ts';

/** Bytes handed to the socket at a time. */
const sliceBytes = 256 * 1024;

/**
 * Sends the bytes as fast as the client takes them, without a copy, and ends the answer. Cut where the signal aborts, also
 * for a client that takes no slice in the time of an exchange.
 */
export async function sendValue(
  response: ServerResponse,
  value: Uint8Array,
  call: Pick<HttpCall, 'signal' | 'moved'>,
): Promise<void> {
  response.setHeader('content-length', value.byteLength);
  let from = 0;
  for (; from + sliceBytes < value.byteLength; from += sliceBytes) {
    if (!response.write(value.subarray(from, from + sliceBytes))) await drained(response, call.signal);
    call.moved();
  }
  response.end(value.subarray(from));
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (run: () => void) => {
      response.off('drain', onDrain).off('close', onAbort);
      signal.removeEventListener('abort', onAbort);
      run();
    };
    const onDrain = () => settle(resolve);
    const onAbort = () => settle(() => reject(signal.reason ?? new Error('the client went away')));
    if (signal.aborted) return reject(signal.reason);
    response.once('drain', onDrain).once('close', onAbort);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
