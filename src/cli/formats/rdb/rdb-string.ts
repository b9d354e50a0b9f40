import { UsageError } from '../../usage-error.ts';
import type { ByteSource } from '../byte-source.ts';
import { unpackLzf } from './lzf.ts';

/** What a string begins with: its length, or how else it is written. */
type StringHead =
  | { readonly kind: 'plain'; readonly length: number }
  | { readonly kind: 'integer'; readonly bytes: number }
  | { readonly kind: 'packed' };

/** A string that is longer than what is taken; it was passed by. */
export interface LongString {
  readonly length: number;
}

const integerBytes = [1, 2, 4] as const;

/** A length, or a number that is written as one. @throws UsageError */
export async function readLength(source: ByteSource): Promise<number> {
  const head = await readHead(source);
  if (head.kind === 'plain') return head.length;
  throw new UsageError(`byte ${source.offset} of the file begins no length: this is no sound RDB file`);
}

/** Of at most so many bytes; else its length, with nothing held. @throws UsageError where it is not sound */
export async function readString(source: ByteSource, bytesMax: number): Promise<Buffer | LongString> {
  const head = await readHead(source);
  switch (head.kind) {
    case 'plain':
      if (head.length <= bytesMax) return source.take(head.length);
      await source.skip(head.length);
      return { length: head.length };
    case 'integer':
      return Buffer.from(String((await source.take(head.bytes)).readIntLE(0, head.bytes)));
    case 'packed':
      return readPacked(source, bytesMax);
  }
}

/** Passes a string by, whatever its length. */
export async function skipString(source: ByteSource): Promise<void> {
  const head = await readHead(source);
  if (head.kind === 'packed') {
    const packed = await readLength(source);
    await readLength(source);
    await source.skip(packed);
  } else await source.skip(head.kind === 'plain' ? head.length : head.bytes);
}

async function readPacked(source: ByteSource, bytesMax: number): Promise<Buffer | LongString> {
  const packed = await readLength(source);
  const length = await readLength(source);
  // Packed bytes are a little more than what they hold, at the most.
  if (length > bytesMax || packed > 2 * bytesMax) {
    await source.skip(packed);
    return { length };
  }
  const bytes = unpackLzf(await source.take(packed), length);
  if (bytes !== undefined) return Buffer.from(bytes.buffer);
  throw new UsageError(`the string that ends at byte ${source.offset} of the file is no sound LZF`);
}

/** The first two bits say how the rest is written. */
async function readHead(source: ByteSource): Promise<StringHead> {
  const first = await source.byte();
  const low = first & 0x3f;
  switch (first >> 6) {
    case 0:
      return { kind: 'plain', length: low };
    case 1:
      return { kind: 'plain', length: (low << 8) | (await source.byte()) };
    case 2:
      return { kind: 'plain', length: await longLength(source, first) };
    default: {
      if (low === 3) return { kind: 'packed' };
      const bytes = integerBytes[low];
      if (bytes !== undefined) return { kind: 'integer', bytes };
      throw new UsageError(`byte ${source.offset} of the file begins no string: this is no sound RDB file`);
    }
  }
}

async function longLength(source: ByteSource, first: number): Promise<number> {
  if (first === 0x80) return (await source.take(4)).readUInt32BE();
  // Lengths fit; numbers that are written so, such as parts of a stream's id, may lose digits, and are passed by.
  if (first === 0x81) return Number((await source.take(8)).readBigUInt64BE());
  throw new UsageError(`byte ${source.offset} of the file begins no length: this is no sound RDB file`);
}
