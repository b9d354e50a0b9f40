import type { Socket } from 'node:net';
import type { Written } from './protocol/reply-writer.ts';

/** Bytes that the socket is handed at once; it may have twice as many. */
const pieceBytes = 256 * 1024;

interface Waiting {
  bytes: Uint8Array;
  /** To be called once they are sent, or never will be. */
  readonly releases: ReadonlyArray<() => void>;
}

/**
 * Encoded replies on their way to one client. A value of megabytes that is handed to the socket whole counts as taken once
 * all of it is: nobody could tell a client that takes it slowly from one that takes nothing. Over TLS Node.js' own timer
 * of sockets cannot either. So it is handed on in pieces, each of which moves the count.
 */
export class Outgoing {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes that the system has yet to take. */
  get bytes(): number {
    return this.#waitingBytes + this.#socket.writableLength;
  }

  /** Everything is handed to the socket. */
  get isHandedOn(): boolean {
    return this.#waiting.length === 0;
  }

  send({ chunks, releases }: Written): void {
    const last = chunks.length - 1;
    for (const [index, bytes] of chunks.entries()) {
      this.#waiting.push({ bytes, releases: index === last ? releases : [] });
      this.#waitingBytes += bytes.byteLength;
    }
    this.goOn();
  }

  /** Hands on what the socket may have by now: to be called whenever it has drained. */
  goOn(): void {
    const socket = this.#socket;
    const isSeveral = this.#waiting.length > 1;
    if (isSeveral) socket.cork();
    for (let [next] = this.#waiting; next !== undefined && socket.writableLength < pieceBytes; [next] = this.#waiting) {
      const { bytes, releases } = next;
      const piece = bytes.byteLength > pieceBytes ? bytes.subarray(0, pieceBytes) : bytes;
      this.#waitingBytes -= piece.byteLength;
      if (piece !== bytes) {
        next.bytes = bytes.subarray(pieceBytes);
        socket.write(piece);
        continue;
      }
      this.#waiting.shift();
      if (releases.length === 0) socket.write(piece);
      else socket.write(piece, () => letGo(releases));
    }
    if (isSeveral) socket.uncork();
  }

  /** The client is gone. */
  close(): void {
    for (const { releases } of this.#waiting.splice(0)) letGo(releases);
    this.#waitingBytes = 0;
  }
}

function letGo(releases: ReadonlyArray<() => void>): void {
  for (const release of releases) release();
}
