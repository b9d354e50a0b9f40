import type { IncomingMessage } from 'node:http';
import { MeridianError } from '../../model/errors.ts';
import type { UploadRoom } from '../../runtime/upload-room.ts';
import type { HttpCall } from '../exchange.ts';

export interface BodyOptions {
  /** Bytes of the body; one more is refused, as it is where the node takes less. */
  readonly bytesMax: number;
  /** What is thrown where the body is longer; `bytes` is its declared length, or what came until it was too long. */
  readonly tooLong: (bytes: number, limit: number) => Error;
  /** For bodies that are not small, so that bodies under way cannot fill the memory. */
  readonly room: UploadRoom;
  readonly call: Pick<HttpCall, 'signal' | 'moved'>;
}

/**
 * Hands the whole body to `use`, never more than its bound in memory. It takes a place once it is not small any more, so
 * that one that is slow to begin holds none; who waits for a place is not read from meanwhile.
 * A large one keeps its place until `use` has ended, as it is in memory for so long.
 */
export async function withBody<T>(
  request: IncomingMessage,
  options: BodyOptions,
  use: (body: Buffer) => Promise<T>,
): Promise<T> {
  const { tooLong, room, call } = options;
  const bytesMax = Math.min(options.bytesMax, room.requestBytesMax);
  const smallBytes = room.smallBytesMax;
  const declared = Number(request.headers['content-length'] ?? 0);
  const chunks: Buffer[] = [];
  try {
    if (declared > bytesMax) throw tooLong(declared, bytesMax);
    if (await collect(request, chunks, Math.min(smallBytes, bytesMax), call)) return await use(joined(chunks));
    if (bytesMax <= smallBytes) throw tooLong(bytesOf(chunks), bytesMax);
    const place = room.place(declared > 0 ? declared : bytesMax, request.socket);
    if (!(await place.acquire(call.signal))) throw tooMany();
    try {
      if (await collect(request, chunks, bytesMax, call)) return await use(joined(chunks));
      throw tooLong(bytesOf(chunks), bytesMax);
    } finally {
      place.release();
    }
  } finally {
    // What is left of a refused body is read and dropped: the connection's next request stands behind it.
    request.resume();
  }
}

function tooMany(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', 'too many large bodies under way', {
    reason: 'bodies-under-way',
    retryAfterMs: 1000,
  });
}

/** Adds what comes to the chunks. True at the body's end; false, and paused, once they hold more than `bytesMax`. */
function collect(
  request: IncomingMessage,
  chunks: Buffer[],
  bytesMax: number,
  call: BodyOptions['call'],
): Promise<boolean> {
  const { signal } = call;
  return new Promise((resolve, reject) => {
    let bytes = bytesOf(chunks);
    const settle = (run: () => void) => {
      request.off('data', onData).off('end', onEnd).off('error', onError);
      signal.removeEventListener('abort', onAbort);
      run();
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      call.moved();
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

/** One buffer in place of the chunks, which are let go. */
function joined(chunks: Buffer[]): Buffer {
  return Buffer.concat(chunks.splice(0));
}

function bytesOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
