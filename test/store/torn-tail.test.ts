import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { walkLog } from '../../src/store/files/log-file.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { salvageStore } from '../../src/store/salvage.ts';
import { live, namespaceA, tombstone } from '../contract/sample-records.ts';
import { metaText } from '../contract/store-driver.ts';
import { makeFolder } from './level-folder.ts';

let folder: Awaited<ReturnType<typeof makeFolder>>;

beforeEach(async () => {
  folder = await makeFolder();
});

afterEach(() => folder.remove());

/** Commits 1 to `last`, of which those up to `synced` were synced; closed. */
async function fill(synced: number, last: number): Promise<void> {
  const store = await openLevelStore(folder.path);
  for (let n = 1; n <= last; n++) {
    const put = { record: live({ key: `k${n}`, sequence: n }), held: undefined };
    const meta = new Map([['n', Buffer.from(`${n}`)]]);
    await store.commit({ puts: [put], removals: [], meta, sync: n <= synced });
  }
  await store.close();
}

async function logFile(): Promise<string> {
  const name = (await readdir(folder.path)).find((each) => /^\d+\.log$/.test(each));
  return join(folder.path, name ?? 'no log');
}

/** Damages the batch of that commit; the first record of the log is the format's. */
async function damageCommit(n: number): Promise<void> {
  const file = await logFile();
  const bytes = await readFile(file);
  const at = walkLog(bytes)[n]?.at ?? bytes.length;
  bytes[at + 30] = (bytes[at + 30] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

async function lastHeld(): Promise<string | undefined> {
  const store = await openLevelStore(folder.path);
  const n = await metaText(store, 'n');
  for (let k = 1; k <= Number(n); k++) expect(await store.read({ namespace: namespaceA, key: `k${k}` })).toBeDefined();
  await store.close();
  return n;
}

describe('a write-ahead log that cannot be read to its end', () => {
  it('gives what was cut from it to a salvage, but for what was written since', async () => {
    await fill(10, 20);
    await damageCommit(15);
    const store = await openLevelStore(folder.path);
    const later = [live({ key: 'k17', sequence: 117, value: 'later' }), tombstone({ key: 'k18', sequence: 118 })];
    const puts = later.map((record) => ({ record, held: undefined }));
    await store.commit({ puts, removals: [], meta: new Map(), sync: true });
    await store.close();
    const saved = new Map<string, string>();
    await salvageStore(folder.path, join(folder.path, 'scratch'), async ({ key, value }) => {
      saved.set(key, Buffer.from(value).toString());
    });
    expect([saved.get('k14'), saved.get('k16')]).toEqual(['value 14', 'value 16']);
    expect([saved.get('k17'), saved.has('k18')]).toEqual(['later', false]);
  });

  it('has a torn tail where nobody was told of what is behind: the store holds what was before', async () => {
    await fill(10, 10);
    await writeFile(await logFile(), Buffer.concat([await readFile(await logFile()), Buffer.alloc(500, 7)]));
    expect(await lastHeld()).toBe('10');
  });

  it('is cut where pages of the tail reached the disk out of order, and a copy of it stays', async () => {
    await fill(10, 20);
    await damageCommit(15);
    expect(await lastHeld()).toBe('14');
    expect(await readdir(folder.path)).toContainEqual(expect.stringMatching(/^cut-\d+\.log$/));
    expect(await lastHeld()).toBe('14');
  });

  it.each([1, 5, 10])(
    'is damaged where a synced commit is in it, and tells which as far as is known: commit %i of 10',
    async (n) => {
      await fill(10, 12);
      await damageCommit(n);
      await expect(openLevelStore(folder.path)).rejects.toMatchObject({
        code: 'DATA_LOSS',
        details: { reason: 'acknowledged-commits-missing', seen: Math.max(1, n - 1) },
      });
    },
  );

  it('is damaged where a later commit says that it was synced, also without the file that counts them', async () => {
    await fill(10, 10);
    await damageCommit(5);
    await rm(join(folder.path, 'ACKNOWLEDGED'));
    await expect(openLevelStore(folder.path)).rejects.toThrow('commits 5 to 9 are missing');
  });

  it('is of a store that an earlier version wrote where it counts nothing: that is opened', async () => {
    await fill(10, 10);
    await rm(join(folder.path, 'ACKNOWLEDGED'));
    await rm(await logFile());
    const store = await openLevelStore(folder.path);
    expect(await metaText(store, 'n')).toBeUndefined();
    await store.close();
  });
});
