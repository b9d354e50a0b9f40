import { createReadStream } from 'node:fs';
import { UsageError } from '../usage-error.ts';

/**
 * The bytes of a file, which is opened when they are asked for: a stream that fails before anybody reads it ends the
 * process. @throws UsageError where it cannot be read, which says what the file is
 */
export async function* fileBytes(path: string, what = 'the file'): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* createReadStream(path) as AsyncIterable<Uint8Array>;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${what} cannot be read: ${why}`, error);
  }
}
