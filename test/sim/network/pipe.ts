import type { Connection, Direction } from './connection.ts';

/** Messages on their way to a reader that is slow; the sender waits for room. */
const windowMax = 4;

/** One direction of a stream: messages in order, each after its delay, at most a window of them unread. */
export class Pipe<T> {
  readonly #held: T[] = [];
  readonly #connection: Connection;
  readonly #direction: Direction;
  #finished: { readonly error?: unknown } | undefined;
  #reader: (() => void) | undefined;
  #writer: (() => void) | undefined;

  constructor(source: AsyncIterable<T>, connection: Connection, direction: Direction) {
    this.#connection = connection;
    this.#direction = direction;
    connection.onEnd(() => this.#wake());
    void this.#pump(source);
  }

  async *read(): AsyncGenerator<T> {
    for (;;) {
      if (this.#connection.over) throw this.#connection.error;
      const message = this.#held.shift();
      if (message !== undefined) {
        this.#writer?.();
        yield message;
      } else if (this.#finished === undefined) {
        await new Promise<void>((resolve) => {
          this.#reader = resolve;
        });
      } else {
        if ('error' in this.#finished) throw this.#finished.error;
        return;
      }
    }
  }

  async #pump(source: AsyncIterable<T>): Promise<void> {
    try {
      for await (const message of source) {
        await this.#connection.carry(this.#direction);
        while (this.#held.length >= windowMax && !this.#connection.over) {
          await new Promise<void>((resolve) => {
            this.#writer = resolve;
          });
        }
        if (this.#connection.over) return;
        this.#held.push(message);
        this.#reader?.();
      }
      this.#finished = {};
    } catch (error) {
      this.#finished = { error };
    }
    this.#reader?.();
  }

  #wake(): void {
    this.#reader?.();
    this.#writer?.();
  }
}
