import { UsageError } from '../../usage-error.ts';
import type { ByteSource } from '../byte-source.ts';
import { readLength, skipString } from './rdb-string.ts';

type Skip = (source: ByteSource) => Promise<void>;

interface SkippedType {
  /** As Redis's TYPE says. */
  readonly name: string;
  readonly skip: Skip;
}

const bytes =
  (count: number): Skip =>
  (source) =>
    source.skip(count);

/** One after another. */
const all =
  (...skips: readonly Skip[]): Skip =>
  async (source) => {
    for (const skip of skips) await skip(source);
  };

/** As many as the length before them says. */
const counted =
  (skip: Skip): Skip =>
  async (source) => {
    for (let left = await readLength(source); left > 0; left--) await skip(source);
  };

const number: Skip = async (source) => void (await readLength(source));

/** A score as text: its length in one byte, of which three mean what is no number. */
const textScore: Skip = async (source) => {
  const length = await source.byte();
  if (length < 253) await source.skip(length);
};

const streamId = all(number, number);

/** Entries in listpacks by their first id, counts and ids, then groups with what is pending of them and of each consumer. */
function stream(version: 1 | 2 | 3): Skip {
  const later = version >= 2;
  const pending = all(bytes(16), bytes(8), number);
  const times = bytes(version === 3 ? 16 : 8);
  const consumer = all(skipString, times, counted(bytes(16)));
  const group = all(skipString, streamId, ...(later ? [number] : []), counted(pending), counted(consumer));
  return all(
    ...[counted(all(skipString, skipString)), number, streamId],
    ...(later ? [streamId, streamId, number] : []),
    counted(group),
  );
}

/** What each kind of item of a module's value is, by its number; 0 ends them. */
const moduleItems: readonly (Skip | undefined)[] = [undefined, number, number, bytes(4), bytes(8), skipString];

const moduleRest: Skip = async (source) => {
  for (let kind = await readLength(source); kind !== 0; kind = await readLength(source)) {
    const skip = moduleItems[kind];
    if (skip === undefined)
      throw new UsageError(`byte ${source.offset} of the file begins no part of a module's value`);
    await skip(source);
  }
};

/** What a module keeps beside its keys. */
export const skipModuleAux = all(number, number, number, moduleRest);

/** Everything but strings, by the numbers of rdb.h. */
const types: ReadonlyMap<number, SkippedType> = new Map([
  [1, { name: 'list', skip: counted(skipString) }],
  [2, { name: 'set', skip: counted(skipString) }],
  [3, { name: 'zset', skip: counted(all(skipString, textScore)) }],
  [4, { name: 'hash', skip: counted(all(skipString, skipString)) }],
  [5, { name: 'zset', skip: counted(all(skipString, bytes(8))) }],
  [7, { name: 'module', skip: all(number, moduleRest) }],
  [9, { name: 'hash', skip: skipString }],
  [10, { name: 'list', skip: skipString }],
  [11, { name: 'set', skip: skipString }],
  [12, { name: 'zset', skip: skipString }],
  [13, { name: 'hash', skip: skipString }],
  [14, { name: 'list', skip: counted(skipString) }],
  [15, { name: 'stream', skip: stream(1) }],
  [16, { name: 'hash', skip: skipString }],
  [17, { name: 'zset', skip: skipString }],
  [18, { name: 'list', skip: counted(all(number, skipString)) }],
  [19, { name: 'stream', skip: stream(2) }],
  [20, { name: 'set', skip: skipString }],
  [21, { name: 'stream', skip: stream(3) }],
  // With an expiry of each field.
  [24, { name: 'hash', skip: all(bytes(8), counted(all(number, skipString, skipString))) }],
  [25, { name: 'hash', skip: all(bytes(8), skipString) }],
]);

/** Passes a value of that type by, and says what it is. @throws UsageError for one that is not known */
export async function skipValue(source: ByteSource, type: number, key: string): Promise<string> {
  const known = types.get(type);
  if (known === undefined) {
    throw new UsageError(
      `the key ${key} at byte ${source.offset} of the file has the RDB type ${type}, which is not known here: import from the Redis that runs (redis://host:port)`,
    );
  }
  await known.skip(source);
  return known.name;
}
