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
