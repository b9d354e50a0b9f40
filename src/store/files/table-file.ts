import { type FileHandle, open } from 'node:fs/promises';
import { ByteReader } from './byte-reader.ts';
import { maskedCrc32c } from './crc32c.ts';
import { internalSuffixBytes } from './manifest.ts';
import { unpackSnappy } from './snappy.ts';

/*
 * A table of LevelDB (doc/table_format.md of LevelDB), read beside it. LevelDB's binding does not verify the checksums
 * of blocks: what a damaged one holds is believed, or ends the process in an assertion, or hides a key so that an older
 * version of it is found. So a table is verified here before LevelDB reads it:
 *
 *   | data block | … | filter | metaindex | index | footer 48 |      each block: bytes, kind 1, checksum 4
 *
 * The index has for each data block a key not before its last one, and where it lies. From that follows which keys a
 * damaged block held: those from the entry before to its own.
 *
 * A damaged block is *blanked*: zeros of the same length with a checksum that fits, which LevelDB reads as a block
 * without entries. Nothing else in the table, whose length the MANIFEST knows, has to move. A blank metaindex means a
 * table without a filter. An index or a footer that is damaged leaves nothing to go by: then the table is unreadable.
 */

export interface DamagedBlock {
  readonly at: number;
  /** Without its kind and checksum. */
  readonly bytes: number;
  /** The user keys that it may have held, both included; unset where it held none. */
  readonly keys?: { readonly from: Buffer; readonly to: Buffer };
}

export interface TableCheck {
  /** Bytes read. */
  readonly bytes: number;
  readonly damaged: readonly DamagedBlock[];
  /** Why nothing can be found in the table; then `damaged` is empty. */
  readonly unreadable?: string;
}

export interface TableEntry {
  readonly key: Buffer;
  readonly sequence: number;
  readonly value?: Buffer;
}

interface BlockHandle {
  readonly at: number;
  readonly bytes: number;
}

const footerBytes = 48;
const trailerBytes = 5;
const magic = Buffer.from('57fb808b247547db', 'hex');
const pieceBytes = 256 * 1024;

/**
 * Verifies every block of a table. @param bytes its length by the MANIFEST
 * @throws errors of the file system; a file that is not there is unreadable instead
 */
export async function checkTable(path: string, bytes: number, smallest: Buffer): Promise<TableCheck> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { bytes: 0, damaged: [], unreadable: 'it is missing' };
  }
  try {
    return await checkBlocks(new Window(file, bytes), smallest);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { bytes: 0, damaged: [], unreadable: error.message };
  } finally {
    await file.close();
  }
}

/**
 * What the sound blocks of a table hold: user key, LevelDB's number of the change, and the value, or none for a
 * deletion. @throws RangeError if nothing can be found in the table; errors of the file system
 */
export async function* readTable(path: string, bytes: number): AsyncGenerator<TableEntry> {
  const file = await open(path, 'r');
  try {
    const table = new Window(file, bytes);
    const entries = await contentsOf(table, (await footerOf(table)).index);
    if (entries === undefined) throw new RangeError('its index is damaged');
    for (const [, handle] of entriesOf(entries)) {
      const contents = await contentsOf(table, handleFrom(new ByteReader(handle)));
      if (contents !== undefined) for (const [key, value] of entriesOf(contents)) yield entryOf(key, value);
    }
  } finally {
    await file.close();
  }
}

/** Makes blocks of a table empty, in place and synced. */
export async function blankBlocks(path: string, blocks: readonly DamagedBlock[]): Promise<void> {
  const file = await open(path, 'r+');
  try {
    for (const { at, bytes } of blocks) {
      const blank = Buffer.alloc(bytes + trailerBytes);
      blank.writeUInt32LE(maskedCrc32c(blank.subarray(0, bytes + 1)), bytes + 1);
      await file.write(blank, 0, blank.length, at);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** @throws RangeError if nothing can be found in the table */
async function checkBlocks(table: Window, smallest: Buffer): Promise<TableCheck> {
  const { metaindex, index } = await footerOf(table);
  const damaged: DamagedBlock[] = [];
  // A filter that lost a bit denies keys that are there; without a filter LevelDB looks into the blocks themselves.
  if (!(await areFiltersSound(table, metaindex))) damaged.push(metaindex);
  const entries = await contentsOf(table, index);
  if (entries === undefined) throw new RangeError('its index is damaged');
  let from = smallest;
  for (const [key, value] of entriesOf(entries)) {
    const to = key.subarray(0, -internalSuffixBytes);
    const block = handleFrom(new ByteReader(value));
    if (!isSound(await blockAt(table, block))) damaged.push({ ...block, keys: { from, to } });
    from = to;
  }
  return { bytes: table.bytes, damaged };
}

async function footerOf(table: Window): Promise<{ readonly metaindex: BlockHandle; readonly index: BlockHandle }> {
  const footer = await table.read(table.bytes - footerBytes, footerBytes);
  if (!footer.subarray(-8).equals(magic)) throw new RangeError('its footer is damaged');
  const reader = new ByteReader(footer);
  return { metaindex: handleFrom(reader), index: handleFrom(reader) };
}

/** A key ends in its kind (0 = deletion) and number, 8 bytes, least first. */
function entryOf(internal: Buffer, value: Buffer): TableEntry {
  const at = internal.length - internalSuffixBytes;
  const key = internal.subarray(0, at);
  const sequence = internal.readUIntLE(at + 1, 6) + (internal[at + 7] ?? 0) * 2 ** 48;
  return internal[at] === 0 ? { key, sequence } : { key, sequence, value };
}

async function areFiltersSound(table: Window, metaindex: BlockHandle): Promise<boolean> {
  const contents = await contentsOf(table, metaindex);
  if (contents === undefined) return false;
  for (const [, value] of entriesOf(contents)) {
    if (!isSound(await blockAt(table, handleFrom(new ByteReader(value))))) return false;
  }
  return true;
}

function handleFrom(reader: ByteReader): BlockHandle {
  return { at: reader.varint(), bytes: reader.varint() };
}

/** A block with its kind and checksum. */
function blockAt(table: Window, { at, bytes }: BlockHandle): Promise<Buffer> {
  return table.read(at, bytes + trailerBytes);
}

function isSound(block: Buffer): boolean {
  return block.readUInt32LE(block.length - 4) === maskedCrc32c(block.subarray(0, -4));
}

/** Undefined if the block is damaged. */
async function contentsOf(table: Window, handle: BlockHandle): Promise<Buffer | undefined> {
  const block = await blockAt(table, handle);
  if (!isSound(block)) return undefined;
  const contents = Buffer.from(block.subarray(0, -trailerBytes));
  return block[handle.bytes] === 1 ? unpackSnappy(contents) : contents;
}

/**
 * Reads a file a piece at a time: neighbours come from one piece, and between pieces the event loop goes on. The
 * checksums of a whole table would hold it for 10 ms.
 */
class Window {
  readonly #file: FileHandle;
  readonly bytes: number;
  #piece = Buffer.alloc(0);
  #at = 0;

  constructor(file: FileHandle, bytes: number) {
    this.#file = file;
    this.bytes = bytes;
  }

  /** Valid until the next call. @throws RangeError if the file does not reach so far */
  async read(at: number, length: number): Promise<Buffer> {
    if (at < 0 || at + length > this.bytes) throw new RangeError(`${at + length} is not within ${this.bytes} bytes`);
    if (at < this.#at || at + length > this.#at + this.#piece.length) {
      const piece = Buffer.allocUnsafe(Math.min(Math.max(pieceBytes, length), this.bytes - at));
      for (let filled = 0; filled < piece.length; ) {
        const { bytesRead } = await this.#file.read(piece, filled, piece.length - filled, at + filled);
        if (bytesRead === 0) throw new RangeError('it is shorter than it was');
        filled += bytesRead;
      }
      this.#piece = piece;
      this.#at = at;
    }
    return this.#piece.subarray(at - this.#at, at - this.#at + length);
  }
}

/** Entries of a block: bytes shared with the last key, further bytes, length of the value; the restarts at the end. */
function* entriesOf(block: Buffer): Generator<readonly [key: Buffer, value: Buffer]> {
  if (block.length < 4) throw new RangeError('a block without an end');
  const restarts = block.readUInt32LE(block.length - 4);
  if (restarts === 0) return; // LevelDB reads it the same way: a blank block.
  const reader = new ByteReader(block.subarray(0, block.length - 4 * (restarts + 1)));
  let key = Buffer.alloc(0);
  while (!reader.done) {
    const shared = reader.varint();
    const further = reader.varint();
    const valueBytes = reader.varint();
    key = Buffer.concat([key.subarray(0, shared), reader.take(further)]);
    yield [key, reader.take(valueBytes)];
  }
}
