/*
 * CRC-32C (Castagnoli), which LevelDB puts behind each block and log record. Node has CRC-32 with another polynomial
 * only. Eight tables take eight bytes a step: some hundred MB/s, which bounds how long the check of a store takes.
 */

const tables = makeTables();

/** The checksum of these bytes as LevelDB stores it: rotated and shifted, since it also sums bytes that hold sums. */
export function maskedCrc32c(bytes: Uint8Array): number {
  return masked(crc32c(bytes));
}

export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;
  const end = bytes.length;
  const wholeEnd = end - (end % 8);
  let crc = -1;
  let at = 0;
  for (; at < wholeEnd; at += 8) {
    crc ^= byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
    crc =
      entry(t7, crc & 0xff) ^
      entry(t6, (crc >>> 8) & 0xff) ^
      entry(t5, (crc >>> 16) & 0xff) ^
      entry(t4, crc >>> 24) ^
      entry(t3, byte(bytes, at + 4)) ^
      entry(t2, byte(bytes, at + 5)) ^
      entry(t1, byte(bytes, at + 6)) ^
      entry(t0, byte(bytes, at + 7));
  }
  for (; at < end; at++) crc = entry(t0, (crc ^ byte(bytes, at)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}

function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function entry(table: Int32Array, index: number): number {
  return table[index] as number;
}

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

function makeTables(): Tables {
  const first = new Int32Array(256).map((_, index) => {
    let crc = index;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc;
  });
  const next = (table: Int32Array) => table.map((crc) => entry(first, crc & 0xff) ^ (crc >>> 8));
  const second = next(first);
  const third = next(second);
  const fourth = next(third);
  const fifth = next(fourth);
  const sixth = next(fifth);
  const seventh = next(sixth);
  return [first, second, third, fourth, fifth, sixth, seventh, next(seventh)];
}
