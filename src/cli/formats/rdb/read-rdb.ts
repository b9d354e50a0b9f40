import { limits } from '../../../model/limits.ts';
import { textOfUtf8 } from '../../../model/text.ts';
import { UsageError } from '../../usage-error.ts';
import { ByteSource } from '../byte-source.ts';
import type { ImportRecord } from '../import-record.ts';
import { shownBytes, shownKey } from '../shown-key.ts';
import type { UnreadRecord } from '../unread-record.ts';
import { Crc64 } from './crc64.ts';
import { type LongString, readLength, readString, skipString } from './rdb-string.ts';
import { skipModuleAux, skipValue } from './skip-value.ts';

export interface RdbReading<Unread> {
  /** Number of the database whose keys are wanted. */
  readonly database: number;
  /** Told in the end of what was left out, if anything was. */
  readonly note: (line: string) => void;
  readonly unread?: UnreadRecord<Unread> | undefined;
}

/** Opcodes that stand where a type may. */
const opcode = {
  slotInfo: 0xf4,
  function: 0xf5,
  moduleAux: 0xf7,
  idle: 0xf8,
  frequency: 0xf9,
  aux: 0xfa,
  sizes: 0xfb,
  expiryMs: 0xfc,
  expirySeconds: 0xfd,
  database: 0xfe,
  end: 0xff,
} as const;

const stringType = 0;
const headBytes = 9;
/** From which on there is a checksum. */
const checksumVersion = 5;
/** Bytes of keys that are read: longer ones are refused all the same, and named by this much. */
const keyBytesMax = 64 * 1024;

/** What stands before a key, and in which database it is. */
interface Place {
  database: number;
  expiresMs: number | undefined;
}

/**
 * The strings of one database of an RDB file, as BGSAVE of Redis and Valkey writes it, with their expiry. Keys that hold
 * something else, and those of other databases, are left out and counted; nothing larger than a value may be is held.
 * @throws UsageError where the file is none, is cut off, or its checksum does not fit
 */
export async function* readRdb<Unread = never>(
  chunks: AsyncIterable<Uint8Array>,
  { database, note, unread }: RdbReading<Unread>,
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const crc = new Crc64();
  const source = new ByteSource(chunks, { endsEarly, taken: (bytes) => crc.add(bytes) });
  const leftOut = new Map<string, number>();
  const leaveOut = (what: string) => leftOut.set(what, (leftOut.get(what) ?? 0) + 1);
  const place: Place = { database: 0, expiresMs: undefined };
  try {
    const version = await readHead(source);
    for (let type = await source.byte(); type !== opcode.end; type = await source.byte()) {
      if (await readOpcode(source, type, place)) continue;
      const { expiresMs } = place;
      place.expiresMs = undefined;
      const key = await readString(source, keyBytesMax);
      const isElsewhere = place.database !== database;
      if (type !== stringType) {
        const name = await skipValue(source, type, shown(key));
        leaveOut(isElsewhere ? `in database ${place.database}` : `of type ${name}`);
      } else if (isElsewhere) {
        await skipString(source);
        leaveOut(`in database ${place.database}`);
      } else yield recordOf(key, await readString(source, limits.valueBytesMax), expiresMs, unread);
    }
    if (version >= checksumVersion) await checkSum(source, crc);
    await checkEnd(source);
    if (leftOut.size > 0) note(`left out: ${[...leftOut].map(([what, count]) => `${count} keys ${what}`).join(', ')}`);
  } finally {
    await source.end();
  }
}

function endsEarly(offset: number): UsageError {
  return new UsageError(`the file ends at byte ${offset}, within a record`);
}

/** The version of its format. */
async function readHead(source: ByteSource): Promise<number> {
  const bytes = await source.take(headBytes);
  const head = bytes.toString('latin1');
  const version = /^(?:REDIS(\d{4})|VALKEY(\d{3}))$/.exec(head);
  if (version !== null) return Number(version[1] ?? version[2]);
  throw new UsageError(`this is no RDB file: it begins with ${shownKey(bytes)}`);
}

/** False where the byte is a key's type. */
async function readOpcode(source: ByteSource, code: number, place: Place): Promise<boolean> {
  switch (code) {
    case opcode.database:
      place.database = await readLength(source);
      return true;
    case opcode.expiryMs:
      place.expiresMs = Number((await source.take(8)).readBigInt64LE());
      return true;
    case opcode.expirySeconds:
      place.expiresMs = (await source.take(4)).readInt32LE() * 1000;
      return true;
    default:
      return skipOpcode(source, code);
  }
}

async function skipOpcode(source: ByteSource, code: number): Promise<boolean> {
  const lengths = { [opcode.idle]: 1, [opcode.sizes]: 2, [opcode.slotInfo]: 3 }[code] ?? 0;
  const strings = { [opcode.function]: 1, [opcode.aux]: 2 }[code] ?? 0;
  for (let left = lengths; left > 0; left--) await readLength(source);
  for (let left = strings; left > 0; left--) await skipString(source);
  if (code === opcode.frequency) await source.byte();
  if (code === opcode.moduleAux) await skipModuleAux(source);
  return lengths > 0 || strings > 0 || code === opcode.frequency || code === opcode.moduleAux;
}

function recordOf<Unread>(
  keyBytes: Buffer | LongString,
  value: Buffer | LongString,
  expiresMs: number | undefined,
  unread: UnreadRecord<Unread> | undefined,
): ImportRecord | Unread {
  const refuse = (why: string): Unread => {
    const error = new UsageError(why);
    if (unread === undefined) throw error;
    return unread(error, keyBytes instanceof Buffer ? keyBytes : shown(keyBytes));
  };
  if (!(keyBytes instanceof Buffer)) {
    return refuse(`a key has ${keyBytes.length} bytes; at most ${limits.keyBytesMax} are taken`);
  }
  const key = textOfUtf8(keyBytes);
  if (key === undefined) return refuse(`the key ${shown(keyBytes)} is no UTF-8`);
  if (!(value instanceof Buffer)) {
    const most = `at most ${limits.valueBytesMax} are taken`;
    return refuse(`the value of ${JSON.stringify(key)} has ${value.length} bytes; ${most}`);
  }
  // Never a second too early.
  return { key, value, ...(expiresMs === undefined ? {} : { expiration: Math.max(1, Math.ceil(expiresMs / 1000)) }) };
}

/** Bytes of a key that a message shows. */
const shownMax = 60;

function shown(key: Buffer | LongString): string {
  if (!(key instanceof Buffer)) return `of ${key.length} bytes`;
  return key.length > shownMax ? `${shownBytes(key.subarray(0, shownMax))}…` : shownKey(key);
}

/** An append-only file may begin as an RDB file: the commands behind it would be lost. */
async function checkEnd(source: ByteSource): Promise<void> {
  if (await source.isAtEnd()) return;
  throw new UsageError(
    `the RDB file ends at byte ${source.offset}, and more follows, as in an append-only file: what follows is not read. Import what BGSAVE writes, or from the Redis that runs (redis://host:port)`,
  );
}

/** The last eight bytes; zero where the server was told to write none. */
async function checkSum(source: ByteSource, crc: Crc64): Promise<void> {
  const found = crc.value;
  const told = (await source.take(8)).readBigUInt64LE();
  if (told === 0n || told === found) return;
  throw new UsageError('the checksum at the end of the RDB file does not fit: it is damaged');
}
