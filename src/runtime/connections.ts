import type { Clock } from './clock.ts';

/** As much of a connection as is looked at here: a socket, or a session on one. */
export interface Connected {
  readonly remoteAddress?: string | undefined;
  destroy(): unknown;
  once(event: 'close', run: () => void): unknown;
}

export interface ConnectionLimits {
  /** Connections at once, idle ones too. */
  readonly connectionsMax: number;
  /** Of one remote address. A proxy's clients all have its address. */
  readonly perAddressMax: number;
  /** Beyond these, for health and metrics alone. */
  readonly reservedMax: number;
  /** Milliseconds: one that was idle for less may have a request on its way, and is not closed for another. */
  readonly idleMsMin: number;
}

type Standing = 'served' | 'reserved';

interface Connection {
  readonly address: string;
  standing: Standing;
}

/**
 * The connections of one listener. Where there are as many as may be, the one that has been idle for the longest makes
 * room; where none is idle, a new one is taken all the same, from a small reserve that serves health and metrics alone,
 * so that a probe is answered however many clients there are.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #all = new Map<Connected, Connection>();
  readonly #perAddress = new Map<string, number>();
  /** Since when, by the monotonic clock; the longest first. A connection without a request yet is idle. */
  readonly #idle = new Map<Connected, number>();
  #reserved = 0;

  constructor(limits: ConnectionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Takes the connection in. False where the reserve is full too: the caller hangs up. */
  add(socket: Connected): boolean {
    const address = socket.remoteAddress ?? '';
    const standing = this.#hasRoom(address) ? 'served' : 'reserved';
    if (standing === 'reserved' && this.#reserved >= this.#limits.reservedMax && !this.#closeIdle(isReserved))
      return false;
    this.#all.set(socket, { address, standing });
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    if (standing === 'reserved') this.#reserved++;
    this.#idle.set(socket, this.#clock.monotonicMs());
    socket.once('close', () => this.#forget(socket));
    return true;
  }

  /** An exchange begins. False where the connection stands in the reserve, and there is still no room for it. */
  begin(socket: Connected): boolean {
    this.#idle.delete(socket);
    const connection = this.#all.get(socket);
    if (connection === undefined || connection.standing === 'served') return true;
    if (!this.#hasRoom(connection.address, 1)) return false;
    connection.standing = 'served';
    this.#reserved--;
    return true;
  }

  /** The exchange is over, and none waits behind it. `nowMs` by the monotonic clock, where the caller has looked at it. */
  end(socket: Connected, nowMs: number = this.#clock.monotonicMs()): void {
    if (this.#all.has(socket)) this.#idle.set(socket, nowMs);
  }

  /** Whether one more fits, or fits once an idle one is closed for it; `counted` of the address's are itself. */
  #hasRoom(address: string, counted = 0): boolean {
    const { connectionsMax, perAddressMax } = this.#limits;
    if ((this.#perAddress.get(address) ?? 0) - counted >= perAddressMax && !this.#closeIdle(isOf(address)))
      return false;
    return this.#all.size - this.#reserved < connectionsMax || this.#closeIdle(isServed);
  }

  #closeIdle(isMeant: (connection: Connection) => boolean): boolean {
    const idleSinceMs = this.#clock.monotonicMs() - this.#limits.idleMsMin;
    for (const [socket, sinceMs] of this.#idle) {
      if (sinceMs > idleSinceMs) return false;
      const connection = this.#all.get(socket);
      if (connection === undefined || !isMeant(connection)) continue;
      this.#forget(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  /** Idempotent. */
  #forget(socket: Connected): void {
    const connection = this.#all.get(socket);
    if (connection === undefined) return;
    this.#all.delete(socket);
    this.#idle.delete(socket);
    if (connection.standing === 'reserved') this.#reserved--;
    const left = (this.#perAddress.get(connection.address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(connection.address);
    else this.#perAddress.set(connection.address, left);
  }
}

const isServed = ({ standing }: Connection): boolean => standing === 'served';
const isReserved = ({ standing }: Connection): boolean => standing === 'reserved';
const isOf =
  (wanted: string) =>
  ({ address, standing }: Connection): boolean =>
    standing === 'served' && address === wanted;
