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

/** Bytes: a body takes a place once more of it than this has come, so that one that is slow to begin holds none. */
const smallBytes = 64 * 1024;

/**
 * The whole body, never more than its bound in memory; who waits for a place is not read from meanwhile. What is left
 * unread of a refused body is discarded by Node once the answer has been sent.
 */
export async function readBody(request: IncomingMessage, options: BodyOptions): Promise<Buffer> {
  const { bytesMax, tooLong, places, signal } = options;
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > bytesMax) throw tooLong(declared);
  const chunks: Buffer[] = [];
  if (await collect(request, chunks, Math.min(smallBytes, bytesMax), signal)) return Buffer.concat(chunks);
  if (bytesMax <= smallBytes) throw tooLong(bytesOf(chunks));
  if (!(await places.acquire(signal))) {
    throw new MeridianError('RESOURCE_EXHAUSTED', 'too many large bodies under way', {
      reason: 'bodies-under-way',
      retryAfterMs: 1000,
    });
  }
  try {
    if (await collect(request, chunks, bytesMax, signal)) return Buffer.concat(chunks);
    throw tooLong(bytesOf(chunks));
  } finally {
    places.release();
  }
}

/** Adds what comes to the chunks. True at the body's end; false, and paused, once they hold more than `bytesMax`. */
function collect(request: IncomingMessage, chunks: Buffer[], bytesMax: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let bytes = bytesOf(chunks);
    const settle = (run: () => void) => {
      request.off('data', onData).off('end', onEnd).off('error', onError);
      signal.removeEventListener('abort', onAbort);
      run();
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes <= bytesMax) return;
      request.pause();
      settle(() => resolve(false));
    };
    const onEnd = () => settle(() => resolve(true));
    const onError = (error: Error) => settle(() => reject(error));
    const onAbort = () => settle(() => reject(signal.reason));
    if (signal.aborted) return reject(signal.reason);
    if (request.readableEnded) return resolve(true);
    signal.addEventListener('abort', onAbort, { once: true });
    request.on('data', onData).on('end', onEnd).on('error', onError);
    // A stream that was paused on purpose does not flow again by itself.
    request.resume();
  });
}

function bytesOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
