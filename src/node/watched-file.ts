import { readFile, stat } from 'node:fs/promises';
import { MeridianError } from '../model/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/** Milliseconds between looks at whether a file was replaced: secrets and certificates are, while the node runs. */
const lookMs = 1000;

export interface WatchedFileOptions<T> {
  readonly path: string;
  /** What the file is for, as messages name it. */
  readonly what: string;
  /** Understands the file's bytes, or throws what is wrong with them. */
  readonly parse: (bytes: Buffer) => T;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each change that could be understood. */
  readonly changed?: (value: T) => void;
}

/**
 * A file as it is now. It is looked at, and not watched by the system: secrets that Kubernetes mounts, and files on
 * network disks, change without a word. What cannot be understood is logged, and what was known before goes on.
 */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  #value: T;
  #seen: string;
  #timer: Timer | undefined;
  #closed = false;

  private constructor(options: WatchedFileOptions<T>, value: T, seen: string) {
    this.#options = options;
    this.#value = value;
    this.#seen = seen;
    this.#timer = this.#wait();
  }

  /** @throws INVALID_ARGUMENT where the file cannot be read or understood */
  static async open<T>(options: WatchedFileOptions<T>): Promise<WatchedFile<T>> {
    const { path, what, parse } = options;
    try {
      const seen = await formOf(path);
      return new WatchedFile(options, parse(await readFile(path)), seen);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new MeridianError('INVALID_ARGUMENT', `${what} (${path}): ${why}`, { reason: 'bad-file', cause: error });
    }
  }

  get value(): T {
    return this.#value;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #wait(): Timer {
    return this.#options.clock.timer(lookMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { path, what, parse, logger, changed } = this.#options;
    try {
      const seen = await formOf(path);
      if (seen !== this.#seen) {
        const bytes = await readFile(path);
        // Remembered first: what cannot be understood is complained of once. What cannot be read may be soon, by a change of
        // its rights that is none of its form.
        this.#seen = seen;
        this.#value = parse(bytes);
        changed?.(this.#value);
        logger.log('info', 'a file was read anew', { what, path });
      }
    } catch (error) {
      logger.log('error', 'a file cannot be read anew; what it said before goes on', {
        what,
        path,
        error: String(error),
      });
    }
    if (!this.#closed) this.#timer = this.#wait();
  }
}

/** Of whatever the path leads to now, through links too. */
async function formOf(path: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(path);
  return [ino, size, mtimeMs].join(' ');
}
