import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UsageError } from '../usage-error.ts';
import { unzstd } from './unzstd.ts';

/** How each kind of compressed file begins. No file of UTF-8 text begins so. */
const gzipMagic = [0x1f, 0x8b] as const;
const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** The bytes of a file, decompressed where it begins as gzip or zstd does, whatever its name says. */
export async function* decompressed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const rest = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < zstdMagic.length) {
    const next = await rest.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const whole = behind(head, rest);
  if (gzipMagic.every((byte, i) => head[i] === byte)) yield* gunzipped(whole);
  else if (zstdMagic.every((byte, i) => head[i] === byte)) yield* unzstd(whole);
  else yield* whole;
}

async function* behind(head: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (head.length > 0) yield head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** Node's library passes by whatever stands behind zeros, which may be the rest of the file: a hole that a crash left, say. */
async function* gunzipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let [bytes, nonZeroBytes] = [0, 0];
  const noted = (async function* () {
    for await (const chunk of chunks) {
      const last = chunk.findLastIndex((byte) => byte !== 0);
      if (last >= 0) nonZeroBytes = bytes + last + 1;
      bytes += chunk.length;
      yield chunk;
    }
  })();
  const source = Readable.from(noted, { objectMode: false });
  const plain = source.pipe(createGunzip());
  source.on('error', (error) => plain.destroy(error));
  try {
    yield* plain as AsyncIterable<Uint8Array>;
    for (let isOver = false; !isOver; ) isOver = (await noted.next()).done === true;
    if (nonZeroBytes > plain.bytesWritten)
      throw new UsageError(`the gzip ends at byte ${plain.bytesWritten} of the file, and behind zeros more follows`);
  } catch (error) {
    const isDamage = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
    throw isDamage ? new UsageError(`this is no sound gzip: ${error.message}`, error) : error;
  } finally {
    source.destroy();
  }
}
