import { UsageError } from '../../usage-error.ts';
import { Crc64 } from './crc64.ts';

/** Takes bytes one after another from chunks of any size, and sums them up. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #crc = new Crc64();
  #held: Buffer = Buffer.alloc(0);
  #at = 0;
  #droppedBytes = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Bytes that were taken. */
  get offset(): number {
    return this.#droppedBytes + this.#at;
  }

  /** Of all bytes that were taken. */
  get checksum(): bigint {
    return this.#crc.value;
  }

  /** A copy. @throws UsageError where the file ends before */
  async take(count: number): Promise<Buffer> {
    if (this.#held.length - this.#at < count) await this.#fill(count);
    const bytes = Buffer.from(this.#held.subarray(this.#at, this.#at + count));
    this.#at += count;
    this.#crc.add(bytes);
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
      this.#crc.add(passed);
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
      if (done === true) throw new UsageError(`the file ends at byte ${this.#droppedBytes + bytes}, within a record`);
      pieces.push(value);
      bytes += value.length;
    }
    this.#held = Buffer.concat(pieces);
    this.#at = 0;
  }
}
