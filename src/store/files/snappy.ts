import { ByteReader } from './byte-reader.ts';

/** Bytes that one packed byte may become, at the most. */
const ratioMax = 22;

/**
 * Unpacks a block that LevelDB packed with Snappy (format_description.txt of Snappy): a length, then literal bytes and
 * copies of what came before. @throws RangeError if it is not well formed
 */
export function unpackSnappy(packed: Buffer): Buffer {
  const reader = new ByteReader(packed);
  const bytes = reader.varint();
  // A copy of 64 bytes takes three: a damaged length could take gigabytes before the first byte was read.
  if (bytes > ratioMax * packed.length) throw new RangeError('a length that the bytes cannot have');
  const out = Buffer.alloc(bytes);
  let at = 0;
  while (!reader.done) {
    const tag = reader.take(1).readUInt8();
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      const length = 1 + (short < 60 ? short : littleEndian(reader, short - 59));
      if (at + length > out.length) throw new RangeError('more bytes than the length says');
      at += reader.take(length).copy(out, at);
      continue;
    }
    const length = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2);
    const distance =
      kind === 1 ? ((tag >> 5) << 8) | littleEndian(reader, 1) : littleEndian(reader, kind === 2 ? 2 : 4);
    if (distance === 0 || distance > at || at + length > out.length) throw new RangeError('a copy from outside');
    // Byte by byte: a copy may overlap its own output, which repeats it.
    for (let left = length; left > 0; left--, at++) out[at] = out[at - distance] ?? 0;
  }
  if (at !== out.length) throw new RangeError('fewer bytes than the length says');
  return out;
}

function littleEndian(reader: ByteReader, bytes: number): number {
  return reader.take(bytes).readUIntLE(0, bytes);
}
