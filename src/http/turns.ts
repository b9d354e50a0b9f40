import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export interface TurnLimits {
  /** Bytes of one connection's requests that wait for the one before; from then on the connection is not read from. */
  readonly waitingBytesPerConnectionMax: number;
  /** Of all connections. Beyond it a connection that has more waiting than the bound above is refused. */
  readonly waitingBytesMax: number;
}

/** Bytes that Node, and we, keep of a request without headers and of its answer, about. */
export const plainRequestBytes = 2048;

interface Waiting {
  readonly bytes: number;
  readonly run: () => void;
}

interface Line {
  readonly waiting: Waiting[];
  waitingBytes: number;
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
  #waitingBytes = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Runs now, or once those before it have called `next`. False where there is no room to wait: the caller hangs up. */
  take(request: IncomingMessage, run: () => void): boolean {
    const { socket } = request;
    const line = this.#lineOf(socket);
    if (!line.isBusy) {
      line.isBusy = true;
      run();
      return true;
    }
    const { waitingBytesPerConnectionMax, waitingBytesMax } = this.#limits;
    if (line.waitingBytes >= waitingBytesPerConnectionMax) {
      if (this.#waitingBytes >= waitingBytesMax) return false;
      line.isPaused = true;
      // Node reads on at the end of each request that it has parsed, so not before it is through with what it has read.
      queueMicrotask(() => {
        if (line.isPaused) socket.pause();
      });
    }
    const bytes = bytesOf(request);
    line.waiting.push({ bytes, run });
    this.#count(line, bytes);
    return true;
  }

  /** The exchange whose turn it was is over. */
  next(socket: Socket): void {
    const line = this.#lines.get(socket);
    if (line === undefined) return;
    const first = line.waiting.shift();
    if (first === undefined) {
      line.isBusy = false;
      return;
    }
    this.#count(line, -first.bytes);
    if (line.isPaused && line.waitingBytes < this.#limits.waitingBytesPerConnectionMax) {
      line.isPaused = false;
      socket.resume();
    }
    first.run();
  }

  #count(line: Line, bytes: number): void {
    line.waitingBytes += bytes;
    this.#waitingBytes += bytes;
  }

  #lineOf(socket: Socket): Line {
    const known = this.#lines.get(socket);
    if (known !== undefined) return known;
    const line = { waiting: [], waitingBytes: 0, isPaused: false, isBusy: false };
    this.#lines.set(socket, line);
    socket.once('close', () => this.#forget(socket));
    return line;
  }

  #forget(socket: Socket): void {
    this.#waitingBytes -= this.#lines.get(socket)?.waitingBytes ?? 0;
    this.#lines.delete(socket);
  }
}

function bytesOf({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + text.length, plainRequestBytes + url.length);
}
