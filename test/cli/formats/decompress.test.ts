import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decompressed } from '../../../src/cli/formats/decompress.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';

/** What `zstd` makes of 2,000 times `{"key":"a"}` with a line feed. */
const line = '{"key":"a"}\n';
const zstdFrame = Buffer.from('KLUv/QBopQAAYHsia2V5IjoiYSJ9CgEAsd33kgQ=', 'base64');

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function plain(bytes: Uint8Array, size = bytes.length): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of decompressed(cut(bytes, Math.max(1, size)))) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

const text = line.repeat(2000);

test.each([1, 3, 4, 1000])('what is not compressed passes as it is, in chunks of %i', async (size) => {
  expect(await plain(Buffer.from('{"key":"ü"}'), size)).toBe('{"key":"ü"}');
  expect(await plain(Buffer.from(''), size)).toBe('');
  expect(await plain(Buffer.from('ab'), size)).toBe('ab');
});

test.each([1, 5, 1000])('gzip is read, several members one behind the other too, in chunks of %i', async (size) => {
  const once = gzipSync(text);
  expect(await plain(once, size)).toBe(text);
  expect(await plain(Buffer.concat([once, once]), size)).toBe(text + text);
});

test.each([1, 5, 1000])(
  'zeros behind gzip are padding, and what follows them is not passed by, in chunks of %i',
  async (size) => {
    const once = gzipSync(text);
    const zeros = Buffer.alloc(700);
    expect(await plain(Buffer.concat([once, once, zeros]), size)).toBe(text + text);
    const holed = plain(Buffer.concat([once, zeros, once]), size);
    await expect(holed).rejects.toThrow(UsageError);
    await expect(holed).rejects.toThrow(`ends at byte ${once.length} of the file, and behind zeros more follows`);
  },
);

test.each([1, 5, 1000])('zstd is read, several frames one behind the other too, in chunks of %i', async (size) => {
  expect(await plain(zstdFrame, size)).toBe(text);
  expect(await plain(Buffer.concat([zstdFrame, zstdFrame]), size)).toBe(text + text);
});

test.each([
  ['gzip', gzipSync(text)],
  ['zstd', zstdFrame],
])('%s that ends early or is damaged is refused', async (name, bytes) => {
  const cutShort = plain(bytes.subarray(0, bytes.length - 6));
  await expect(cutShort).rejects.toThrow(UsageError);
  await expect(cutShort).rejects.toThrow(`this is no sound ${name}`);
});

test.each([
  ['', 0x51d8e999],
  ['a', 0xa98c6e5b],
  ['abc', 0xad770999],
  ['Nobody inspects the spammish repetition', 0x8a378bf1],
])('a checksum of zstd is the lower half of the xxh64 of "%s"', async (of, low) => {
  // One segment, uncompressed: its size, the head of its last block, the text, the checksum.
  const frame = (sum: number) => {
    const bytes = Buffer.from(`28b52ffd2400000000${Buffer.from(of).toString('hex')}00000000`, 'hex');
    bytes.writeUInt8(of.length, 5);
    bytes.writeUIntLE((of.length << 3) | 1, 6, 3);
    bytes.writeUInt32LE(sum, bytes.length - 4);
    return bytes;
  };
  for (const size of [1, 7, 100]) {
    expect(await plain(frame(low), size)).toBe(of);
    await expect(plain(frame((low ^ 1) >>> 0), size)).rejects.toThrow('its checksum does not fit');
  }
});

/** The same with a checksum, as zstd writes it if nothing else is asked for. */
const checkedFrame = Buffer.from('KLUv/QRYpQAAYHsia2V5IjoiYSJ9CgEAsd33kgTCqnGC', 'base64');

test('no bit of a zstd that is another one makes another text of it', async () => {
  const outcomes = new Set<string>();
  for (let bit = 0; bit < 8 * checkedFrame.length; bit++) {
    const damaged = Buffer.from(checkedFrame);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    // A file that does not begin as zstd is read as it is.
    if (bit < 32) continue;
    const outcome = await plain(damaged).then(
      (read) => (read === text ? 'the same' : 'another text'),
      (error: unknown) => (error instanceof UsageError ? 'refused' : String(error)),
    );
    outcomes.add(outcome);
  }
  expect([...outcomes].sort()).toEqual(['refused', 'the same']);
});

/** The head of a frame with a window of 128 KiB, and runs of 128 KiB of one byte. */
const runsHead = Buffer.from('28b52ffd0038', 'hex');
const run = (isLast: boolean) => {
  const block = Buffer.from([0, 0, 0, 0x61]);
  block.writeUIntLE(((128 * 1024) << 3) | 2 | (isLast ? 1 : 0), 0, 3);
  return block;
};

test('what few bytes of zstd become is held a block at a time', async () => {
  const runs = Array.from({ length: 3000 }, () => run(false));
  const before = process.memoryUsage().arrayBuffers;
  const reading = decompressed(cut(Buffer.concat([runsHead, ...runs]), 16 * 1024));
  await reading.next();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 1024 * 1024);
  await reading.return();
});

test('frames of zstd that hold something else are passed by, and one that needs much memory is refused', async () => {
  const other = Buffer.from('502a4d1803000000616263', 'hex');
  const frame = Buffer.concat([runsHead, run(true)]);
  expect(await plain(Buffer.concat([frame, other, frame]), 5)).toBe('a'.repeat(256 * 1024));
  const large = Buffer.from(frame);
  large[5] = 0x90; // 2 ^ 28
  await expect(plain(large)).rejects.toThrow('needs 268435456 bytes of memory; at most 134217728');
});
