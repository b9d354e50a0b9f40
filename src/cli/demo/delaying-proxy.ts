import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';

export interface DelayingProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Milliseconds that every byte takes longer, in each direction: half of a round trip. */
  readonly oneWayMs: number;
  readonly clock: Clock;
}

/** Bytes under way in one direction of one connection; past it the sender is not read until some arrive. */
const bytesUnderWayMax = 8 * 1024 * 1024;

/** A long cable: TCP between loopback ports, every byte and every end of a connection late by the same time. */
export class DelayingProxy {
  readonly #options: DelayingProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: DelayingProxyOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#join(near));
  }

  /** Listens on a loopback port, a free one by default, also again behind a stop; tells `host:port`. */
  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(near: Socket): void {
    const far = connect({ ...this.#options.target, allowHalfOpen: true, noDelay: true });
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      // A reset shows as the close that follows it.
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
    }
    this.#carry(near, far);
    this.#carry(far, near);
  }

  #carry(from: Socket, to: Socket): void {
    const { clock, oneWayMs } = this.#options;
    let bytesUnderWay = 0;
    from.on('data', (bytes) => {
      bytesUnderWay += bytes.length;
      if (bytesUnderWay > bytesUnderWayMax) from.pause();
      clock.timer(oneWayMs, () =>
        to.write(bytes, () => {
          bytesUnderWay -= bytes.length;
          if (bytesUnderWay <= bytesUnderWayMax) from.resume();
        }),
      );
    });
    from.once('end', () => clock.timer(oneWayMs, () => to.end()));
    from.once('close', () => clock.timer(oneWayMs, () => to.destroySoon()));
  }
}
