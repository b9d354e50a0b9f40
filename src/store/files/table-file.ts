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
  /** Why nothing in the table can be found; then `damaged` is empty. */
  readonly unreadable?: string;
}

interface BlockHandle {
  readonly at: number;
  readonly bytes: number;
}

const footerBytes = 48;
const trailerBytes = 5;
const magic = Buffer.from('57fb808b247547db', 'hex');
const readBytes = 1024 * 1024;

/**
 * Verifies every block of a table. @param bytes its length as the MANIFEST has it
 * @throws what the file system throws, but for a file that is not there, which is unreadable
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
    const whole = await readWhole(file, bytes);
    if (whole === undefined) return { bytes: 0, damaged: [], unreadable: 'it is shorter than it was' };
    return checkBlocks(whole, smallest);
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

async function readWhole(file: FileHandle, bytes: number): Promise<Buffer | undefined> {
  const whole = Buffer.allocUnsafe(bytes);
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await file.read(whole, at, Math.min(readBytes, bytes - at), at);
    if (bytesRead === 0) return undefined;
    at += bytesRead;
  }
  return whole;
}

function checkBlocks(table: Buffer, smallest: Buffer): TableCheck {
  const bytes = table.length;
  const footer = bytes < footerBytes ? undefined : table.subarray(bytes - footerBytes);
  if (footer === undefined || !footer.subarray(-8).equals(magic)) {
    return { bytes, damaged: [], unreadable: 'its footer is damaged' };
  }
  try {
    const reader = new ByteReader(footer);
    const metaindex = handleFrom(reader);
    const index = handleFrom(reader);
    if (!isSound(table, index)) return { bytes, damaged: [], unreadable: 'its index is damaged' };
    const damaged: DamagedBlock[] = [];
    let from = smallest;
    for (const [key, value] of entriesOf(contentsOf(table, index))) {
      const to = key.subarray(0, -internalSuffixBytes);
      const block = handleFrom(new ByteReader(value));
      if (!isSound(table, block)) damaged.push({ ...block, keys: { from, to } });
      from = to;
    }
    // A filter that lost a bit denies keys that are there: without one LevelDB looks into the blocks themselves.
    if (!isSound(table, metaindex) || !filtersSound(table, metaindex)) damaged.push(metaindex);
    return { bytes, damaged };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { bytes, damaged: [], unreadable: `its index cannot be read (${error.message})` };
  }
}

function filtersSound(table: Buffer, metaindex: BlockHandle): boolean {
  return [...entriesOf(contentsOf(table, metaindex))].every(([, value]) =>
    isSound(table, handleFrom(new ByteReader(value))),
  );
}

function handleFrom(reader: ByteReader): BlockHandle {
  return { at: reader.varint(), bytes: reader.varint() };
}

function isSound(table: Buffer, { at, bytes }: BlockHandle): boolean {
  const end = at + bytes + 1;
  if (end + 4 > table.length) throw new RangeError(`a block ends at ${end + 4} of ${table.length} bytes`);
  return table.readUInt32LE(end) === maskedCrc32c(table.subarray(at, end));
}

function contentsOf(table: Buffer, { at, bytes }: BlockHandle): Buffer {
  const block = table.subarray(at, at + bytes);
  return table[at + bytes] === 1 ? unpackSnappy(block) : block;
}

/** Entries of a block: bytes shared with the key before, further bytes, length of the value; the restarts at the end. */
function* entriesOf(block: Buffer): Generator<readonly [key: Buffer, value: Buffer]> {
  const restarts = block.readUInt32LE(block.length - 4);
  if (restarts === 0) return; // As LevelDB reads it: a blank block.
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
