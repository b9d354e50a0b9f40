import { connect, type Socket } from 'node:net';
import { MeridianError } from '../../model/errors.ts';
import { textOfUtf8 } from '../../model/text.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ImportRecord } from '../formats/import-record.ts';
import { UsageError } from '../usage-error.ts';
import { parseReply, type RedisReply } from './redis-reply.ts';

export interface RedisSourceOptions {
  /** `redis://[user[:password]@]host[:port][/database]`. */
  readonly url: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Makes what stands for a key that is no UTF-8. */
  readonly unread: (why: UsageError, text: Uint8Array) => UnreadKey;
  /** Told of keys that hold something else than a string. */
  readonly passedBy: (keys: number) => void;
}

type UnreadKey = { readonly unread: UsageError; readonly text: string | Uint8Array };

/** Keys of one page of SCAN, about. */
const pageKeys = 500;
/** Milliseconds without a byte while a reply is awaited. */
const silenceMsMax = 30_000;

/**
 * The strings of a Redis that runs, with their expiry: SCAN, then GET and PTTL of each key of a page in one go. A key that is
 * written meanwhile comes with its old or its new value, and may come twice. One that goes away is left out.
 * @throws UNAVAILABLE where Redis is not reached or ends; FAILED_PRECONDITION with what it refuses
 */
export async function* readRedis<Unread extends UnreadKey>(
  options: RedisSourceOptions & { readonly unread: (why: UsageError, text: Uint8Array) => Unread },
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const connection = await RedisConnection.open(options);
  try {
    let cursor = '0';
    do {
      const [page] = await connection.ask([['SCAN', cursor, 'COUNT', String(pageKeys)]]);
      const [next, keys] = pageOf(page);
      const replies = await connection.ask(
        keys.flatMap((key) => [
          ['TYPE', key],
          ['PTTL', key],
        ]),
      );
      const isString = (index: number) => String(replies[2 * index]) === 'string';
      const strings = keys.flatMap((key, index) =>
        isString(index) ? [{ key, ttlMs: Number(replies[2 * index + 1]) }] : [],
      );
      options.passedBy(keys.filter((_, index) => !isString(index) && String(replies[2 * index]) !== 'none').length);
      const readMs = options.clock.wallMs();
      const values = await connection.ask(strings.map(({ key }) => ['GET', key]));
      for (const [index, { key, ttlMs }] of strings.entries()) {
        const value = values[index];
        if (value instanceof Buffer) yield recordOf(key, value, ttlMs < 0 ? undefined : readMs + ttlMs, options);
      }
      cursor = next;
    } while (cursor !== '0');
  } finally {
    connection.close();
  }
}

function recordOf<Unread>(
  key: Buffer,
  value: Buffer,
  expiresMs: number | undefined,
  { unread }: { readonly unread: (why: UsageError, text: Uint8Array) => Unread },
): ImportRecord | Unread {
  const text = textOfUtf8(key);
  if (text === undefined) {
    return unread(new UsageError(`the key ${JSON.stringify(key.toString('latin1'))} is no UTF-8`), key);
  }
  // Never a second too early.
  return { key: text, value, ...(expiresMs === undefined ? {} : { expiration: Math.ceil(expiresMs / 1000) }) };
}

function pageOf(reply: RedisReply | undefined): readonly [string, readonly Buffer[]] {
  if (!Array.isArray(reply) || !Array.isArray(reply[1])) throw odd('SCAN');
  return [String(reply[0]), reply[1].filter((key): key is Buffer => key instanceof Buffer)];
}

function odd(what: string): MeridianError {
  return new MeridianError('INTERNAL', `Redis answered ${what} with something else`, { reason: 'redis-reply' });
}

/** Commands in, replies out, in order. */
class RedisConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #wake: () => void = () => {};
  #failure: MeridianError | undefined;

  private constructor(socket: Socket, place: string) {
    this.#socket = socket;
    const failed = (why: string, cause?: Error) => {
      this.#failure ??= new MeridianError('UNAVAILABLE', `Redis at ${place} ${why}`, { reason: 'redis-gone', cause });
      this.#wake();
    };
    socket.setTimeout(silenceMsMax, () => failed(`said nothing for ${silenceMsMax} ms`));
    socket.on('error', (error) => failed(`is not reached: ${error.message}`, error));
    socket.on('close', () => failed('ended the connection'));
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
  }

  static async open({ url, signal }: Pick<RedisSourceOptions, 'url' | 'signal'>): Promise<RedisConnection> {
    const { hostname, port, username, password, pathname } = new URL(url);
    const place = `${hostname}:${port || '6379'}`;
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379), signal });
    const connection = new RedisConnection(socket, place);
    try {
      const secret = decodeURIComponent(password);
      const user = username === '' ? [] : [decodeURIComponent(username)];
      if (secret !== '') await connection.ask([['AUTH', ...user, secret]]);
      const database = pathname.replace(/^\//, '');
      if (database !== '') await connection.ask([['SELECT', database]]);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The replies, in order. @throws FAILED_PRECONDITION with what Redis refuses; UNAVAILABLE */
  async ask(commands: ReadonlyArray<ReadonlyArray<string | Buffer>>): Promise<RedisReply[]> {
    this.#socket.write(Buffer.concat(commands.map(commandBytes)));
    const replies: RedisReply[] = [];
    let offset = 0;
    while (replies.length < commands.length) {
      const parsed = parseReply(this.#received, offset);
      if (parsed === undefined) {
        // What was parsed is let go before more is joined to it.
        this.#received = this.#received.subarray(offset);
        offset = 0;
        await this.#more();
        continue;
      }
      if (parsed.reply instanceof Error) {
        throw new MeridianError('FAILED_PRECONDITION', `Redis says: ${parsed.reply.message}`, {
          reason: 'redis-refuses',
        });
      }
      replies.push(parsed.reply);
      offset = parsed.end;
    }
    this.#received = this.#received.subarray(offset);
    return replies;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #more(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const before = this.#received.length;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#received.length === before && this.#failure !== undefined) throw this.#failure;
  }
}

function commandBytes(words: ReadonlyArray<string | Buffer>): Buffer {
  const parts = words.map((word) => {
    const bytes = Buffer.from(word as string);
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}
