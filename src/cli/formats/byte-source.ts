import type { UsageError } from '../usage-error.ts';

export interface ByteSourceOptions {
  /** What is wrong with a file that ends at this byte, before what was to be taken. */
  readonly endsEarly: (offset: number) => UsageError;
  /** Told of all bytes that are taken or skipped, in their order. */
  readonly taken?: (bytes: Uint8Array) => void;
}

/** Takes bytes one after another from chunks of any size. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #endsEarly: (offset: number) => UsageError;
  readonly #taken: (bytes: Uint8Array) => void;
  #held: Buffer = Buffer.alloc(0);
  #at = 0;
  #droppedBytes = 0;

  constructor(chunks: AsyncIterable<Uint8Array>, { endsEarly, taken = () => {} }: ByteSourceOptions) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#endsEarly = endsEarly;
    this.#taken = taken;
  }

  /** Bytes that were taken. */
  get offset(): number {
    return this.#droppedBytes + this.#at;
  }

  /** A copy. @throws UsageError where the file ends before */
  async take(count: number): Promise<Buffer> {
    if (this.#held.length - this.#at < count) await this.#fill(count);
    const bytes = Buffer.from(this.#held.subarray(this.#at, this.#at + count));
    this.#at += count;
    this.#taken(bytes);
    return bytes;
  }

  async byte(): Promise<number> {
    return (await this.take(1)).readUInt8();
  }

  /** Holds one chunk at a time, however many bytes those are. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      if (this.#at === this.#held.length) await this.#fill(1);
      const passed = this.#held.subarray(this.#at, this.#at + left);
      this.#taken(passed);
      this.#at += passed.length;
      left -= passed.length;
    }
  }

  /** Whether nothing follows. */
  async isAtEnd(): Promise<boolean> {
    while (this.#at === this.#held.length) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return true;
      this.#droppedBytes += this.#at;
      this.#held = Buffer.from(value);
      this.#at = 0;
    }
    return false;
  }

  async end(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(count: number): Promise<void> {
    const pieces: Uint8Array[] = [this.#held.subarray(this.#at)];
    let bytes = this.#held.length - this.#at;
    this.#droppedBytes += this.#at;
    while (bytes < count) {
      const { done, value } = await this.#chunks.next();
      if (done === true) throw this.#endsEarly(this.#droppedBytes + bytes);
      pieces.push(value);
      bytes += value.length;
    }
    this.#held = Buffer.concat(pieces);
    this.#at = 0;
  }
}
