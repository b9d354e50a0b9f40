import type { Socket } from 'node:net';

export interface TurnLimits {
  /** Requests of one connection that wait for the one before; from then on the connection is not read from. */
  readonly waitingPerConnectionMax: number;
  /** Of all connections. Beyond it a connection that has more waiting than the bound above is refused. */
  readonly waitingMax: number;
}

interface Line {
  readonly waiting: Array<() => void>;
  isPaused: boolean;
  isBusy: boolean;
}

/**
 * Lets the requests of one connection wait for each other. Node hands over every request of a pipeline as it is parsed
 * and keeps the answers in memory until their turn comes: thousands of scrapes on one connection would be made at once,
 * for a client that reads none of them. Here the next request begins when the answer before it is out.
 */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #lines = new Map<Socket, Line>();
  #waiting = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Runs now, or once those before it have called `next`. False where there is no room to wait: the caller hangs up. */
  take(socket: Socket, run: () => void): boolean {
    const line = this.#lineOf(socket);
    if (!line.isBusy) {
      line.isBusy = true;
      run();
      return true;
    }
    const { waitingPerConnectionMax, waitingMax } = this.#limits;
    if (line.waiting.length >= waitingPerConnectionMax) {
      if (this.#waiting >= waitingMax) return false;
      line.isPaused = true;
      // Node reads on at the end of each request that it has parsed, so not before it is through with what it has read.
      queueMicrotask(() => {
        if (line.isPaused) socket.pause();
      });
    }
    line.waiting.push(run);
    this.#waiting++;
    return true;
  }

  /** The exchange whose turn it was is over. */
  next(socket: Socket): void {
    const line = this.#lines.get(socket);
    if (line === undefined) return;
    const run = line.waiting.shift();
    if (run === undefined) {
      line.isBusy = false;
      return;
    }
    this.#waiting--;
    if (line.isPaused && line.waiting.length < this.#limits.waitingPerConnectionMax) {
      line.isPaused = false;
      socket.resume();
    }
    run();
  }

  #lineOf(socket: Socket): Line {
    const known = this.#lines.get(socket);
    if (known !== undefined) return known;
    const line = { waiting: [], isPaused: false, isBusy: false };
    this.#lines.set(socket, line);
    socket.once('close', () => this.#forget(socket));
    return line;
  }

  #forget(socket: Socket): void {
    this.#waiting -= this.#lines.get(socket)?.waiting.length ?? 0;
    this.#lines.delete(socket);
  }
}
