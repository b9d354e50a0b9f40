import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapKey, type RecordKey } from '../../../src/model/key.ts';
import { headOf, type Record } from '../../../src/model/record.ts';
import type { LevelOptions } from '../../../src/store/level/level-options.ts';
import { openLevelStore } from '../../../src/store/level-store.ts';
import { live, namespaceA, noise, sampleSeconds, tombstone } from '../../contract/sample-records.ts';
import { SeededRandom } from '../../support/seeded-random.ts';

/** Small, so that a store of a few hundred records has dozens of tables on several levels. */
export const smallTables: LevelOptions = { writeBufferBytes: 64 * 1024, tableBytes: 1024 * 1024, blockBytes: 1024 };

/** A store that is closed, and what it acknowledged. */
export interface Sample {
  readonly path: string;
  /** The record of each key that was ever put; undefined where it was removed. */
  readonly records: ReadonlyMap<string, Record | undefined>;
}

/** Puts, overwrites, deletes and removes, every commit synced, through logs and tables. */
export async function makeSample(path: string, commits: number): Promise<Sample> {
  const random = new SeededRandom(commits);
  const records = new Map<string, Record | undefined>();
  const store = await openLevelStore(path, smallTables);
  for (let n = 1; n <= commits; n++) {
    const key = `key ${String(random.between(0, commits / 2 - 1)).padStart(5, '0')}`;
    const name = mapKey(namespaceA, key);
    const before = records.get(name);
    const held = before === undefined ? undefined : headOf(before);
    if (held !== undefined && n % 9 === 0) {
      await store.commit({ puts: [], removals: [held], meta: metaOf(n), sync: true });
      records.set(name, undefined);
      continue;
    }
    const expiry = n % 5 === 0 ? { expiresAt: sampleSeconds + n } : {};
    const bytes = n % 23 === 0 ? 9000 : 50 + random.between(0, 399);
    const record =
      n % 7 === 0 ? tombstone({ key, sequence: n }) : live({ key, sequence: n, value: noise(bytes, n), ...expiry });
    await store.commit({ puts: [{ record, held }], removals: [], meta: metaOf(n), sync: true });
    records.set(name, record);
  }
  await store.close();
  return { path, records };
}

function metaOf(n: number): Map<string, Uint8Array> {
  return new Map([['n', Buffer.from(String(n))]]);
}

/** Works on a copy of the sample, which is taken away afterwards. */
export async function onCopy<T>(sample: Sample, use: (path: string) => Promise<T>): Promise<T> {
  const path = await mkdtemp(join(tmpdir(), 'meridian-damaged-'));
  try {
    await cp(sample.path, path, { recursive: true });
    return await use(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

/** One file of the store whose name is like that, chosen by chance among those that hold something. */
export async function chooseFile(path: string, like: RegExp, random: SeededRandom): Promise<string> {
  const files: string[] = [];
  for (const name of (await readdir(path)).sort()) {
    if (like.test(name) && (await readFile(join(path, name))).length > 0) files.push(join(path, name));
  }
  const file = files[random.between(0, files.length - 1)];
  if (file === undefined) throw new Error(`no file like ${like}`);
  return file;
}

export async function change(file: string, edit: (bytes: Buffer) => Buffer): Promise<void> {
  await writeFile(file, edit(await readFile(file)));
}

export function flipBit(random: SeededRandom): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const at = random.between(0, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
    return bytes;
  };
}

export function zero(length: number, random: SeededRandom): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const at = random.between(0, Math.max(0, bytes.length - length));
    return bytes.fill(0, at, Math.min(bytes.length, at + length));
  };
}

export function cut(random: SeededRandom): (bytes: Buffer) => Buffer {
  return (bytes) => bytes.subarray(0, random.between(0, bytes.length - 1));
}

export function keyOf(name: string): RecordKey {
  return { namespace: namespaceA, key: name.slice(32) };
}
