import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../src/store/files/byte-reader.ts';
import { crc32c, maskedCrc32c } from '../../src/store/files/crc32c.ts';
import { walkLog } from '../../src/store/files/log-file.ts';
import { unpackSnappy } from '../../src/store/files/snappy.ts';

/** One piece of a log: checksum, length, type, bytes. */
function piece(type: number, bytes: Buffer): Buffer {
  const body = Buffer.concat([Buffer.of(type), bytes]);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(maskedCrc32c(body), 0);
  head.writeUInt16LE(bytes.length, 4);
  return Buffer.concat([head, body]);
}

const shapeOf = (log: Buffer) =>
  walkLog(log).map((each) => (each.kind === 'record' ? `${each.at}+${each.bytes.length}` : `fault ${each.at}`));

describe('CRC-32C', () => {
  it('gives the sums that RFC 3720 lists', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e);
  });
});

describe('the walk over a log', () => {
  const small = piece(1, Buffer.from('a record'));
  const block = 32 * 1024;

  it('finds records, also in several pieces, and behind the rest of a block', () => {
    const filler = piece(1, Buffer.alloc(block - small.length - 7 - 3));
    const parts = Buffer.concat([
      small,
      filler,
      Buffer.alloc(3),
      piece(2, Buffer.alloc(block - 7)),
      piece(4, Buffer.alloc(9)),
    ]);
    expect(shapeOf(parts)).toEqual(['0+8', `15+${filler.length - 7}`, `${block}+${block + 2}`]);
    expect(shapeOf(Buffer.alloc(0))).toEqual([]);
  });

  it('tells one fault of what cannot be read, and goes on at the next piece, or block', () => {
    const flipped = Buffer.from(small);
    flipped[9] = 0;
    expect(shapeOf(Buffer.concat([small, flipped, flipped, small]))).toEqual(['0+8', 'fault 15', '45+8']);
    const lengthLost = Buffer.concat([small, Buffer.alloc(block - small.length), small]);
    expect(shapeOf(lengthLost)).toEqual(['0+8', 'fault 15', `${block}+8`]);
  });

  it('tells a fault at a record that does not end, or has no beginning', () => {
    expect(shapeOf(Buffer.concat([small, small.subarray(0, 12)]))).toEqual(['0+8', 'fault 15']);
    expect(shapeOf(Buffer.concat([small, piece(2, Buffer.from('begun'))]))).toEqual(['0+8', 'fault 15']);
    expect(shapeOf(Buffer.concat([piece(2, Buffer.from('begun')), small]))).toEqual(['fault 0', '12+8']);
    expect(shapeOf(Buffer.concat([piece(4, Buffer.from('end')), small]))).toEqual(['fault 0', '10+8']);
  });
});

describe('what Snappy packed', () => {
  it('takes no memory for a length that damage made', () => {
    // 4 GiB, of a block of five bytes.
    expect(() => unpackSnappy(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]))).toThrow('that the bytes cannot have');
    const longest = Buffer.from([64 + 1, 0, 97, 0b1111_1110, 1, 0]);
    expect(unpackSnappy(longest).toString()).toBe('a'.repeat(65));
  });

  it('is unpacked: literals, copies near and far, and copies that overlap what they make', () => {
    // "abcd", then 8 bytes from 4 back, then "z", then 3 bytes from 13 back with a distance of two bytes.
    const packed = Buffer.from([16, 0x0c, 97, 98, 99, 100, 0x11, 4, 0x00, 122, 0x0a, 13, 0]);
    expect(unpackSnappy(packed).toString()).toBe('abcdabcdabcdzabc');
  });

  it('is refused where it is not well formed', () => {
    for (const bytes of [
      [4, 0x00, 97],
      [2, 0x0c, 97, 98, 99, 100],
      [8, 0x11, 4],
      [4, 0x0c, 97],
    ]) {
      expect(() => unpackSnappy(Buffer.from(bytes)), `${bytes}`).toThrow(RangeError);
    }
  });
});

describe('the reader of numbers', () => {
  it('reads up to 2^53 and refuses what ends early', () => {
    expect(new ByteReader(Buffer.from([0xac, 0x02])).varint()).toBe(300);
    expect(() => new ByteReader(Buffer.from([0x80])).varint()).toThrow(RangeError);
    expect(() => new ByteReader(Buffer.from([5, 1])).text()).toThrow(RangeError);
  });
});
