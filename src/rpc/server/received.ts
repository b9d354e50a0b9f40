import type { Readable } from 'node:stream';

type Source = Pick<Readable, 'on' | 'read'>;

/**
 * The messages of a two-way stream, one after another. Node's own iterator destroys its stream when that reports an
 * error. But a status is sent by means of an error, and a destroyed stream sends none while something written before is
 * still on its way: its caller would wait for ever.
 */
export class Received<T> implements AsyncIterator<T> {
  readonly #source: Source;
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  constructor(source: Source) {
    this.#source = source;
    const ends = (error?: Error) => {
      this.#ended = true;
      this.#error ??= error;
      this.#wake();
    };
    source.on('readable', () => this.#wake());
    source.on('error', ends);
    for (const event of ['end', 'close', 'cancelled']) source.on(event, () => ends());
  }

  /** One at a time. Done at the end of the stream, and if its caller went away. @throws the stream's error */
  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const message = this.#source.read() as T | null;
      if (message !== null) return { done: false, value: message };
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
