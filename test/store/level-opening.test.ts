import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMeridianError, type MeridianError } from '../../src/model/errors.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { live, noise } from '../contract/sample-records.ts';
import { collect, commit, expectRecord, metaText, withSnapshot } from '../contract/store-driver.ts';
import { makeFolder } from './level-folder.ts';

let folder: Awaited<ReturnType<typeof makeFolder>>;

beforeEach(async () => {
  folder = await makeFolder();
});

afterEach(() => folder.remove());

async function refusalOf(asked: Promise<unknown>): Promise<MeridianError> {
  const error = await asked.then(
    () => new Error('it was not refused'),
    (thrown: unknown) => thrown,
  );
  if (!isMeridianError(error)) throw error;
  return error;
}

async function withRaw(change: (raw: ClassicLevel) => Promise<void>): Promise<void> {
  const raw = new ClassicLevel(folder.path);
  await change(raw);
  await raw.close();
}

/** A store with some tables on disk, closed. */
async function fill(records: number): Promise<void> {
  const store = await openLevelStore(folder.path, { writeBufferBytes: 64 * 1024, compression: false });
  for (let n = 1; n <= records; n++) {
    await commit(store, { puts: [live({ key: `k${n}`, sequence: n, value: noise(4000, n) })], meta: { n: `${n}` } });
  }
  await store.close();
  await (await openLevelStore(folder.path)).close(); // Opening turns what is left in the log into a table.
}

describe('opening a store on LevelDB', () => {
  it.runIf(process.platform === 'linux')('keeps no file open where it fails, however often it is tried', async () => {
    await (await openLevelStore(folder.path)).close();
    await rm(join(folder.path, 'ACKNOWLEDGED'));
    await symlink('/dev/full', join(folder.path, 'ACKNOWLEDGED'));
    const open = async () => {
      const links = (await readdir('/proc/self/fd')).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''));
      return (await Promise.all(links)).filter((link) => link === '/dev/full').length;
    };
    for (let tries = 0; tries < 3; tries++) {
      expect((await refusalOf(openLevelStore(folder.path))).message).toContain('no space left');
    }
    expect(await open()).toBe(0);
  });

  it('makes the folder, and those above it', async () => {
    const deep = join(folder.path, 'a/b');
    await (await openLevelStore(deep)).close();
    expect(await readdir(deep)).toContain('CURRENT');
  });

  it('refuses a format of a later or an earlier version, saying which, and leaves the store alone', async () => {
    await fill(3);
    await withRaw((raw) => raw.put('sformat', '3'));
    const later = await refusalOf(openLevelStore(folder.path));
    expect([later.code, later.details.reason]).toEqual(['DATA_LOSS', 'store-format-unknown']);
    expect(later.message).toMatch(/format 3.*up to 2.*later version/);
    await withRaw((raw) => raw.put('sformat', '1'));
    const earlier = await refusalOf(openLevelStore(folder.path));
    expect([earlier.code, earlier.message]).toEqual([
      'DATA_LOSS',
      expect.stringMatching(/format 1 of an earlier version/),
    ]);
    await withRaw((raw) => raw.put('sformat', '2'));
    const store = await openLevelStore(folder.path);
    expect(await metaText(store, 'n')).toBe('3');
    await store.close();
  });

  it('refuses a format that is no number, and a database of something else', async () => {
    await withRaw((raw) => raw.put('sformat', 'x'));
    expect((await refusalOf(openLevelStore(folder.path))).code).toBe('DATA_LOSS');
    await withRaw(async (raw) => {
      await raw.del('sformat');
      await raw.put('foreign', '1');
    });
    const error = await refusalOf(openLevelStore(folder.path));
    expect([error.code, error.details.reason]).toEqual(['DATA_LOSS', 'store-format-unknown']);
    await withRaw(async (raw) => expect(await raw.get('foreign')).toBe('1'));
  });

  it('refuses a folder that this process has open', async () => {
    const store = await openLevelStore(folder.path);
    const error = await refusalOf(openLevelStore(folder.path));
    expect([error.code, error.details.reason]).toEqual(['UNAVAILABLE', 'store-locked']);
    await commit(store, { meta: { a: '1' }, sync: true });
    await store.close();
  });

  it('refuses a folder that another process has open, until that is gone', async () => {
    const script = `const { ClassicLevel } = require('classic-level');
      new ClassicLevel(${JSON.stringify(folder.path)}).open().then(() => console.log('open'));
      process.stdin.resume();`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const error = await refusalOf(openLevelStore(folder.path));
    expect([error.code, error.details.reason]).toEqual(['UNAVAILABLE', 'store-locked']);
    expect(error.message).toContain('another process');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await openLevelStore(folder.path)).close();
  });

  it('refuses what has lost its CURRENT, which LevelDB would take for new and wipe', async () => {
    await fill(20);
    await rm(join(folder.path, 'CURRENT'));
    const before = await readdir(folder.path);
    const error = await refusalOf(openLevelStore(folder.path));
    expect([error.code, error.details.reason]).toEqual(['DATA_LOSS', 'store-damaged']);
    expect(await readdir(folder.path)).toEqual(before);
  });

  it('refuses what has lost a table', async () => {
    await fill(60);
    const table = (await readdir(folder.path)).find((name) => name.endsWith('.ldb')) ?? 'none';
    await rm(join(folder.path, table));
    const error = await refusalOf(openLevelStore(folder.path));
    expect([error.code, error.details.reason]).toEqual(['DATA_LOSS', 'store-damaged']);
    expect(error.message).toContain(folder.path);
  });

  it('finishes an erase that was interrupted before anybody reads', async () => {
    await fill(30);
    await withRaw(async (raw) => {
      await raw.batch([
        { type: 'put', key: 'serasing', value: '' },
        { type: 'del', key: 'mn' },
      ]);
    });
    const store = await openLevelStore(folder.path);
    expect(await withSnapshot(store, (view) => collect(view.records({})))).toEqual([]);
    await commit(store, { puts: [live({ key: 'new', sequence: 1 })] });
    await store.close();
    const again = await openLevelStore(folder.path);
    expect(await withSnapshot(again, (view) => collect(view.records({})))).toHaveLength(1);
    await again.close();
  });
});

describe('a damaged store on LevelDB', () => {
  it('says DATA_LOSS of what it reads, and never gives another value', async () => {
    await fill(40);
    const tables = (await readdir(folder.path)).filter((name) => name.endsWith('.ldb'));
    let told = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const file = join(folder.path, tables[seed % tables.length] ?? '');
      const whole = await readFile(file);
      const damaged = Buffer.from(whole);
      const at = Math.floor((seed / 41) * whole.length);
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      await writeFile(file, damaged);
      told += await tellsDamage();
      await writeFile(file, whole);
    }
    expect(told).toBeGreaterThan(20);
  });

  /** 1 where opening or some read was refused as damage; every other read gives what was written. */
  async function tellsDamage(): Promise<number> {
    const refusals = new Set<MeridianError>();
    const store = await openLevelStore(folder.path).catch((error: MeridianError) => void refusals.add(error));
    for (let n = 1; n <= 40 && store !== undefined; n++) {
      const wanted = live({ key: `k${n}`, sequence: n, value: noise(4000, n) });
      const found = await store.read(wanted).catch((error: MeridianError) => void refusals.add(error));
      if (found !== undefined) expectRecord(found, wanted);
    }
    await store?.close();
    for (const error of refusals) expect(error.code).toBe('DATA_LOSS');
    return refusals.size > 0 ? 1 : 0;
  }

  it('says so where an index names a record that is not there, or a value lost a chunk', async () => {
    const store = await openLevelStore(folder.path);
    const large = live({ key: 'large', sequence: 1, value: noise(600_000, 1) });
    await commit(store, { puts: [large, live({ key: 'small', sequence: 2 })] });
    await store.close();
    await withRaw(async (raw) => {
      await raw.del(`r${large.namespace}small`);
      await raw.del(`v${large.namespace}large${large.stamp}0001`);
    });
    const damaged = await openLevelStore(folder.path);
    expect((await refusalOf(damaged.read(large))).details.reason).toBe('store-damaged');
    const scan = withSnapshot(damaged, (view) => collect(view.log(large.position.log, 1)));
    expect((await refusalOf(scan)).details.reason).toBe('store-damaged');
    await damaged.close();
  });
});

it('a value that has lost a chunk is known as damaged once it was read, until its key is written again', async () => {
  const store = await openLevelStore(folder.path);
  const large = live({ key: 'large', sequence: 1, value: noise(600_000, 1) });
  await commit(store, { puts: [large] });
  await store.close();
  await withRaw((raw) => raw.del(`v${large.namespace}large${large.stamp}0001`));
  const again = await openLevelStore(folder.path);
  expect(again.damaged()).toEqual([]);
  expect((await refusalOf(again.read(large))).code).toBe('DATA_LOSS');
  expect(again.damaged()).toEqual([{ namespace: large.namespace, key: 'large' }]);
  const [held] = await again.heads([large]);
  await again.commit({ puts: [{ record: large, held }], removals: [], meta: new Map(), sync: true });
  expect(again.damaged()).toEqual([]);
  expectRecord(await again.read(large), large);
  await again.close();
});

describe('after a commit that failed, a store on LevelDB', () => {
  it('refuses everything until it is opened again, and then holds what was committed before', async () => {
    const path = join(folder.path, 'store');
    const store = await openLevelStore(path);
    const before = live({ key: 'before', sequence: 1 });
    await commit(store, { puts: [before] });
    await rename(path, `${path}-away`); // The logs can no longer be synced.
    const put = { record: live({ key: 'k', sequence: 2 }), held: undefined };
    const batch = { puts: [put], removals: [], meta: new Map(), sync: true };
    const [first, second] = await Promise.all([refusalOf(store.commit(batch)), refusalOf(store.commit(batch))]);
    expect([first.code, second.code]).toEqual(['INTERNAL', 'UNAVAILABLE']);
    expect((await refusalOf(store.read(before))).details.reason).toBe('store-failed');
    expect((await refusalOf(store.heads([before]))).details.reason).toBe('store-failed');
    expect((await refusalOf(store.meta('a'))).details.reason).toBe('store-failed');
    expect(() => store.snapshot()).toThrow('a commit failed');
    await rename(`${path}-away`, path);
    await store.reopen();
    expectRecord(await store.read(before), before);
    await store.commit(batch);
    expectRecord(await store.read(put.record), put.record);
    await store.close();
  });
});
