import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** TCP between loopback ports that can be cut: at once, or so that nobody is told. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target = 0;
  #state: 'open' | 'reset' | 'silent' = 'open';

  constructor() {
    this.#server = createServer({ noDelay: true }, (near) => this.#join(near));
  }

  /** Listens on a free loopback port; tells `host:port`. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve()));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The port behind it, which changes when its process does. */
  set target(port: number) {
    this.#target = port;
  }

  /** `reset` ends connections and refuses new ones; `silent` swallows every byte until it is open again. */
  cut(how: 'reset' | 'silent'): void {
    this.#state = how;
    if (how === 'reset') this.#endAll();
  }

  /** What was silent has lost bytes: its connections end now. */
  mend(): void {
    const was = this.#state;
    this.#state = 'open';
    if (was === 'silent') this.#endAll();
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#endAll();
    await closed;
  }

  #join(near: Socket): void {
    near.on('error', () => {});
    if (this.#state === 'reset') {
      near.destroy();
      return;
    }
    const far = connect({ host: '127.0.0.1', port: this.#target, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('data', (bytes) => {
        if (this.#state !== 'open') return;
        if (!to.write(bytes)) from.pause();
      });
      to.on('drain', () => from.resume());
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  #endAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
