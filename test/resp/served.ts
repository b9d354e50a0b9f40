import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { openEntrance } from '../../src/model/entrance.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { RespObserver } from '../../src/resp/observer.ts';
import { RespListener, type RespListenerOptions } from '../../src/resp/resp-listener.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { roomsOf } from '../rpc/loopback.ts';

export interface ServedResp {
  readonly address: string;
  readonly port: number;
  readonly rejected: readonly string[];
  readonly listener: RespListener;
  /** That are open. */
  connections(): number;
  connect(): Promise<RespClient>;
  close(): Promise<void>;
}

/** An Upstream behind a Redis listener on a port of this machine; database 0 is the namespace `config`. */
export async function serveResp(upstream: Upstream, options: Partial<RespListenerOptions> = {}): Promise<ServedResp> {
  const rejected: string[] = [];
  let open = 0;
  const observer: RespObserver = {
    answered: () => {},
    rejected: (reason) => void rejected.push(reason),
    connected: (count) => {
      open = count;
    },
  };
  const listener = new RespListener({
    ...{
      entrance: openEntrance(upstream),
      observer,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      version: '0.0.0',
    },
    ...{ rooms: roomsOf(64 * 1024 * 1024), databases: new Map([[0, 'config']]), requestTimeoutMs: 20_000 },
    ...options,
  });
  const address = await listener.start('127.0.0.1', 0);
  const port = Number(address.split(':')[1]);
  const clients: RespClient[] = [];
  return {
    ...{ address, port, rejected, listener },
    connections: () => open,
    connect: async () => {
      const client = await RespClient.connect(port);
      clients.push(client);
      return client;
    },
    close: async () => {
      for (const client of clients) client.socket.destroy();
      await listener.stop(100);
    },
  };
}

/** A reply as it came: an error as `Error: …`, a simple string behind a plus, bulk strings as latin1. */
export type Seen = string | number | null | Seen[] | { readonly push: Seen[] } | { readonly map: Seen[] };

/** A client that sends bytes as it is told, and decodes what comes back. */
export class RespClient {
  readonly socket: Socket;
  #input = Buffer.alloc(0);
  #closed = false;
  #changed: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#input = Buffer.concat([this.#input, bytes]);
      this.#changed();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#changed();
    });
  }

  static async connect(port: number): Promise<RespClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RespClient(socket);
  }

  /** Sends one command and waits for its reply. */
  ask(...args: ReadonlyArray<string | Uint8Array | number>): Promise<Seen> {
    this.socket.write(encodeCommand(args));
    return this.reply();
  }

  /** Sends commands in one write, and waits for all replies. */
  async pipeline(...commands: ReadonlyArray<ReadonlyArray<string | Uint8Array | number>>): Promise<Seen[]> {
    this.socket.write(Buffer.concat(commands.map(encodeCommand)));
    const replies: Seen[] = [];
    while (replies.length < commands.length) replies.push(await this.reply());
    return replies;
  }

  /** The next reply. Rejects where the connection is closed first. */
  async reply(): Promise<Seen> {
    for (;;) {
      const found = decode(this.#input, 0);
      if (found !== undefined) {
        this.#input = this.#input.subarray(found[1]);
        return found[0];
      }
      if (this.#closed) throw new Error('the connection is closed');
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Resolves once the other side has hung up. */
  async closed(): Promise<void> {
    while (!this.#closed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Bytes that came and were not asked for. */
  get unread(): number {
    return this.#input.length;
  }
}

export function encodeCommand(args: ReadonlyArray<string | Uint8Array | number>): Buffer {
  const parts = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = typeof arg === 'object' ? arg : Buffer.from(String(arg));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), Buffer.from(bytes), Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

/** The reply that begins at this place, and where it ends; undefined where it is not whole. */
function decode(input: Buffer, at: number): readonly [Seen, number] | undefined {
  const end = input.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const kind = String.fromCharCode(input[at] ?? 0);
  const line = input.toString('latin1', at + 1, end);
  const next = end + 2;
  switch (kind) {
    case '+':
      return [`+${line}`, next];
    case '-':
      return [`Error: ${line}`, next];
    case ':':
      return [Number(line), next];
    case '_':
      return [null, next];
    case '$': {
      const length = Number(line);
      if (length < 0) return [null, next];
      if (input.length < next + length + 2) return undefined;
      return [input.toString('latin1', next, next + length), next + length + 2];
    }
    case '*':
    case '>':
    case '%': {
      const items: Seen[] = [];
      let place = next;
      for (let left = Number(line) * (kind === '%' ? 2 : 1); left > 0; left--) {
        const found = decode(input, place);
        if (found === undefined) return undefined;
        items.push(found[0]);
        place = found[1];
      }
      return [kind === '>' ? { push: items } : kind === '%' ? { map: items } : items, place];
    }
    default:
      throw new Error(`no reply: ${kind}${line}`);
  }
}
