import { connect, type Socket } from 'node:net';
import { MeridianError } from '../../model/errors.ts';
import { parseReply, type RedisReply } from './redis-reply.ts';

export interface RedisPlace {
  /** `redis://[user[:password]@]host[:port][/database]`. */
  readonly url: string;
  readonly signal: AbortSignal;
  /** Milliseconds without a byte while a reply is awaited. Default: 30 s. */
  readonly silenceMsMax?: number;
}

export type RedisCommand = ReadonlyArray<string | Buffer>;

/** Bytes that are held until they are a reply: more than a group of values has, and than any page of keys. */
const unparsedBytesMax = 128 * 1024 * 1024;
const leastRoomBytes = 64 * 1024;

export function odd(what: string): MeridianError {
  return new MeridianError('INTERNAL', `Redis answered ${what} with something else`, { reason: 'redis-reply' });
}

export function refusal({ message }: Error): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', `Redis says: ${message}`, { reason: 'redis-refuses' });
}

/** Commands in, replies out, in order. */
export class RedisConnection {
  readonly #socket: Socket;
  readonly #silenceMsMax: number;
  /** Bytes received and not yet parsed: a part of `#room`, which is larger, so that what comes is seldom copied again. */
  #received = Buffer.alloc(0);
  #room = Buffer.alloc(0);
  #wake: () => void = () => {};
  #failure: MeridianError | undefined;

  private constructor(socket: Socket, place: string, silenceMsMax: number) {
    this.#socket = socket;
    this.#silenceMsMax = silenceMsMax;
    const failed = (why: string, cause?: Error) => {
      this.#failure ??= new MeridianError('UNAVAILABLE', `Redis at ${place} ${why}`, { reason: 'redis-gone', cause });
      this.#wake();
    };
    socket.on('timeout', () => failed(`said nothing for ${silenceMsMax} ms`));
    socket.on('error', (error) => failed(`is not reached: ${error.message}`, error));
    socket.on('close', () => failed('ended the connection'));
    socket.on('data', (chunk: Buffer) => {
      this.#add(chunk);
      if (this.#received.length > unparsedBytesMax) {
        failed(`answered with more than ${unparsedBytesMax} bytes at once`);
        socket.destroy();
      }
      this.#wake();
    });
  }

  static async open({ url, signal, silenceMsMax = 30_000 }: RedisPlace): Promise<RedisConnection> {
    const { hostname, port, username, password, pathname } = new URL(url);
    const place = `${hostname}:${port || '6379'}`;
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379), signal });
    const connection = new RedisConnection(socket, place, silenceMsMax);
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
  async ask(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    const replies = await this.askEach(commands);
    for (const reply of replies) if (reply instanceof Error) throw refusal(reply);
    return replies;
  }

  /** The same, with what is refused among them. @throws UNAVAILABLE */
  async askEach(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
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
      replies.push(parsed.reply);
      offset = parsed.end;
    }
    this.#received = this.#received.subarray(offset);
    return replies;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Joins bytes to those that are held, in room that doubles. */
  #add(chunk: Buffer): void {
    const held = this.#received.length;
    const used = this.#received.byteOffset - this.#room.byteOffset + held;
    if (used + chunk.length > this.#room.length) {
      const room = Buffer.allocUnsafeSlow(Math.max(2 * held, held + chunk.length, leastRoomBytes));
      this.#received.copy(room);
      this.#room = room;
      chunk.copy(room, held);
      this.#received = room.subarray(0, held + chunk.length);
      return;
    }
    const from = used - held;
    chunk.copy(this.#room, used);
    this.#received = this.#room.subarray(from, used + chunk.length);
  }

  async #more(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const before = this.#received.length;
    // Only while an answer is awaited: between two questions nothing is asked for as long as the cluster takes.
    this.#socket.setTimeout(this.#silenceMsMax);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#socket.setTimeout(0);
    if (this.#received.length === before && this.#failure !== undefined) throw this.#failure;
  }
}

function commandBytes(words: RedisCommand): Buffer {
  const parts = words.map((word) => {
    const bytes = Buffer.from(word as string);
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}
