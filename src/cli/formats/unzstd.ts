import type { XXHash } from 'xxhash-wasm';
import { UsageError } from '../usage-error.ts';
import { ByteSource } from './byte-source.ts';

const frameMagic = 0xfd2fb528;
/** Of frames that hold something else, to be passed by; the last four bits are free. */
const skippedMagic = 0x184d2a50;
/** Bytes that a frame may make a reader keep, as zstd itself allows without --long. */
const windowBytesMax = 128 * 1024 * 1024;
const maxBlockBytes = 128 * 1024;

interface FrameHead {
  readonly bytes: Buffer;
  readonly hasChecksum: boolean;
}

/**
 * What zstd's frames hold, one behind the other, a block at a time: four bytes can become 128 KiB. The library passes
 * checksums by, so that they are compared here. @throws UsageError where a frame is damaged or cut off
 */
export async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const [{ Decompress }, { default: xxhash }] = await Promise.all([import('fzstd'), import('xxhash-wasm')]);
  const { create64 } = await xxhash();
  const source = new ByteSource(chunks, { endsEarly: () => unsound('it ends too early') });
  try {
    while (!(await source.isAtEnd())) {
      const magic = await source.take(4);
      if ((magic.readUInt32LE() & 0xfffffff0) >>> 0 === skippedMagic) {
        await source.skip((await source.take(4)).readUInt32LE());
        continue;
      }
      if (magic.readUInt32LE() !== frameMagic) throw unsound('no frame begins there');
      yield* frame(source, magic, { decompress: (take) => new Decompress(take), digest: create64() });
    }
  } finally {
    await source.end();
  }
}

/** Of the libraries, what one frame takes. */
interface FrameTools {
  readonly decompress: (take: (piece: Uint8Array) => void) => { push(chunk: Uint8Array, isLast?: boolean): void };
  readonly digest: XXHash<bigint>;
}

async function* frame(
  source: ByteSource,
  magic: Buffer,
  { decompress, digest }: FrameTools,
): AsyncGenerator<Uint8Array> {
  const { bytes, hasChecksum } = await frameHead(source);
  let pieces: Uint8Array[] = [];
  const plain = decompress((piece) => pieces.push(Buffer.from(piece)));
  const push = (chunk: Uint8Array, isEnd = false): readonly Uint8Array[] => {
    pieces = [];
    try {
      plain.push(chunk, isEnd);
    } catch (error) {
      throw unsound(error instanceof Error ? error.message : String(error));
    }
    for (const piece of pieces) digest.update(piece);
    return pieces;
  };
  yield* push(Buffer.concat([magic, bytes]));
  for (let isLast = false; !isLast; ) {
    const head = await source.take(3);
    const [flags, size] = [head.readUIntLE(0, 3) & 7, head.readUIntLE(0, 3) >>> 3];
    if (size > maxBlockBytes) throw unsound(`a block has ${size} bytes`);
    isLast = (flags & 1) === 1;
    // One byte stands for all of a run.
    yield* push(Buffer.concat([head, await source.take(flags >> 1 === 1 ? 1 : size)]));
  }
  const told = await source.take(hasChecksum ? 4 : 0);
  // Of a short frame the library gives all only now.
  yield* push(told, true);
  if (hasChecksum && told.readUInt32LE() !== Number(BigInt.asUintN(32, digest.digest())))
    throw unsound('its checksum does not fit');
}

/** The widths of its fields are told by its first byte. */
async function frameHead(source: ByteSource): Promise<FrameHead> {
  const first = await source.take(1);
  const flags = first.readUInt8();
  const isSingle = (flags & 0x20) !== 0;
  const window = await source.take(isSingle ? 0 : 1);
  const dictionary = await source.take([0, 1, 2, 4][flags & 3] ?? 0);
  const size = await source.take([isSingle ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0);
  const bytes = isSingle ? sizeIn(size) : windowBytes(window.readUInt8());
  if (bytes > windowBytesMax) {
    throw new UsageError(`this zstd needs ${bytes} bytes of memory; at most ${windowBytesMax} are taken`);
  }
  return { bytes: Buffer.concat([first, window, dictionary, size]), hasChecksum: (flags & 4) !== 0 };
}

function sizeIn(field: Buffer): number {
  if (field.length === 8) return Number(field.readBigUInt64LE());
  return field.readUIntLE(0, field.length) + (field.length === 2 ? 256 : 0);
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function unsound(why: string): UsageError {
  return new UsageError(`this is no sound zstd: ${why}`);
}
