import { constants, createReadStream, open } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { systemFailure } from '../system-failure.ts';

const openDescriptor = promisify(open);

/**
 * The bytes of a file, or of what else has a path, until the signal. It is opened when they are asked for: a stream that fails
 * before anybody reads it ends the process. @throws what systemFailure makes where it cannot be read, which says what the file is
 */
export async function* fileBytes(
  path: string,
  signal: AbortSignal,
  what = 'the file',
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* addAbortSignal(signal, await streamOf(path)) as AsyncIterable<Uint8Array>;
  } catch (error) {
    signal.throwIfAborted();
    throw systemFailure(`${what} cannot be read`, error);
  }
}

/** A process that waits in the system, for a writer of a FIFO, cannot end: it is read as a pipe of the process is. */
async function streamOf(path: string): Promise<Readable> {
  if (!(await stat(path)).isFIFO()) return createReadStream(path);
  const fd = await openDescriptor(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
}
