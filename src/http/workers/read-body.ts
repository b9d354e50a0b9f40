import type { IncomingMessage } from 'node:http';
import { MeridianError } from '../../model/errors.ts';
import type { Semaphore } from '../../runtime/semaphore.ts';

export interface BodyOptions {
  /** Bytes of the body; one more is refused. */
  readonly bytesMax: number;
  /** What is thrown where the body is longer; `bytes` is its declared length, or what came until it was too long. */
  readonly tooLong: (bytes: number) => Error;
  /** Places for bodies that are not small, so that bodies under way cannot fill the memory. */
  readonly places: Semaphore;
  readonly signal: AbortSignal;
}

/** Bytes: a body declared as no longer than this takes no place. */
const smallBytes = 64 * 1024;

/**
 * The whole body, never more than its bound in memory; who waits for a place is not read from meanwhile. What is left
 * unread of a refused body is discarded by Node once the answer has been sent.
 */
export async function readBody(request: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  const declared = request.headers['content-length'];
  const length = declared === undefined ? undefined : Number(declared);
  if (length !== undefined && length > options.bytesMax) throw options.tooLong(length);
  if (length !== undefined && length <= smallBytes) return collect(request, options);
  if (!(await options.places.acquire(options.signal))) {
    throw new MeridianError('RESOURCE_EXHAUSTED', 'too many large bodies under way', {
      reason: 'bodies-under-way',
      retryAfterMs: 1000,
    });
  }
  try {
    return await collect(request, options);
  } finally {
    options.places.release();
  }
}

function collect(request: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  const { bytesMax, tooLong, signal } = options;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (run: () => void) => {
      request.off('data', onData).off('end', onEnd).off('error', onError);
      signal.removeEventListener('abort', onAbort);
      run();
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) {
        request.pause();
        settle(() => reject(tooLong(bytes)));
      } else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks, bytes)));
    const onError = (error: Error) => settle(() => reject(error));
    const onAbort = () => settle(() => reject(signal.reason));
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    request.on('data', onData).on('end', onEnd).on('error', onError);
  });
}
