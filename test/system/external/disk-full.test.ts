import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, rmdir, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMeridianError } from '../../../src/model/errors.ts';
import { AuditFile } from '../../../src/node/audit-file.ts';
import { loggerTo } from '../../../src/runtime/logger.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';
import { openLevelStore } from '../../../src/store/level-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { live, logOne, noise, tombstone } from '../../contract/sample-records.ts';
import { collect, commit, expectRecord, withSnapshot } from '../../contract/store-driver.ts';

const mountBytes = 48 * 1024 * 1024;
/** Freed later: LevelDB's compactions need about as much room again as what is stored. */
const ballastBytes = 32 * 1024 * 1024;

function mountable(): boolean {
  const able = process.platform === 'linux' && process.getuid?.() === 0;
  if (!able) console.warn('SKIPPED: only root on Linux can mount the small file system that this test fills');
  return able;
}

describe.runIf(mountable())('a store on a disk that is full', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meridian-full-'));
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mountBytes}`, 'tmpfs', folder]);
    if (status !== 0) throw new Error(`cannot mount a tmpfs: ${stderr}`);
  });

  afterEach(async () => {
    spawnSync('umount', ['--lazy', folder]);
    await rmdir(folder);
  });

  it('rejects the commit, takes nothing more, and has every acknowledged write once there is room', async () => {
    const ballast = join(folder, 'ballast');
    await writeFile(ballast, Buffer.alloc(ballastBytes, 1));
    // Without a reserve, so that the disk fills up under LevelDB.
    const store = await openLevelStore(join(folder, 'store'), { writeBufferBytes: 1024 * 1024, reserveBytes: 0 });
    const put = (n: number) => live({ key: `k${n}`, sequence: n, value: noise(200_000, n) });
    let acknowledged = 0;
    let refusal: unknown;
    while (refusal === undefined && acknowledged < 1000) {
      await commit(store, { puts: [put(acknowledged + 1)], meta: { n: `${acknowledged + 1}` }, sync: true }).then(
        () => {
          acknowledged++;
        },
        (error: unknown) => {
          refusal = error;
        },
      );
    }
    expect(acknowledged).toBeGreaterThan(5);
    expect(isMeridianError(refusal, 'INTERNAL'), `${refusal}`).toBe(true);
    await expect(commit(store, { meta: { a: '1' } })).rejects.toMatchObject({ details: { reason: 'store-failed' } });

    await rm(ballast);
    await store.reopen();
    for (let n = 1; n <= acknowledged; n++) expectRecord(await store.read(put(n)), put(n));
    const logged = await withSnapshot(store, (view) => collect(view.log(logOne, 1)));
    const last = Number(new TextDecoder().decode(await store.meta('n')));
    expect(logged).toHaveLength(last);
    await commit(store, { puts: [put(last + 1)], sync: true });
    expectRecord(await store.read(put(last + 1)), put(last + 1));
    await store.close();
  });

  it('refuses values at once while a reserve is left, reads and deletes on, and takes them again by itself', async () => {
    const ballast = join(folder, 'ballast');
    await writeFile(ballast, Buffer.alloc(ballastBytes, 1));
    const settings = { writeBufferBytes: 1024 * 1024, reserveBytes: 8 * 1024 * 1024 };
    const store = await openLevelStore(join(folder, 'store'), settings);
    const put = (n: number) => live({ key: `k${n}`, sequence: n, value: noise(200_000, n) });
    let held = 0;
    const fill = async (store: Store) => {
      for (;;) {
        try {
          await commit(store, { puts: [put(held + 1)], sync: true });
          held++;
        } catch (error) {
          return error;
        }
      }
    };
    const refusal = await fill(store);
    expect(isMeridianError(refusal, 'RESOURCE_EXHAUSTED'), `${refusal}`).toBe(true);
    expect(store.condition().full).toBe(true);
    for (let n = 1; n <= held; n++) expectRecord(await store.read(put(n)), put(n));
    await store.close();
    const again = await openLevelStore(join(folder, 'store'), settings);
    // A start turns logs into tables, which may leave some room.
    expect(isMeridianError(await fill(again), 'RESOURCE_EXHAUSTED')).toBe(true);
    for (let n = 1; n <= 3; n++)
      await commit(again, { puts: [tombstone({ key: `k${n}`, sequence: 1000 + n })], sync: true });
    expect((await again.read(put(1)))?.kind).toBe('tombstone');
    await rm(ballast);
    await commit(again, { puts: [put(held + 1)], sync: true });
    expect(again.condition().full).toBe(false);
    expectRecord(await again.read(put(held + 1)), put(held + 1));
    await again.close();
  });

  it('reads on where a commit failed and there is no room to open the store again, until there is', async () => {
    const path = join(folder, 'store');
    const store = await openLevelStore(path, { writeBufferBytes: 1024 * 1024, reserveBytes: 8 * 1024 * 1024 });
    const kept = live({ key: 'kept', sequence: 1 });
    await commit(store, { puts: [kept] });
    await rename(path, `${path}-away`); // Its logs can no longer be synced.
    await expect(commit(store, { meta: { a: '1' }, sync: true })).rejects.toMatchObject({ code: 'INTERNAL' });
    await rename(`${path}-away`, path);
    const ballast = join(folder, 'ballast');
    const { bavail, bsize } = await statfs(folder);
    await writeFile(ballast, Buffer.alloc(bavail * bsize - 1024 * 1024));
    await expect(store.reopen()).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      details: { reason: 'disk-full' },
    });
    expectRecord(await store.read(kept), kept);
    expect(store.condition().full).toBe(true);
    await expect(commit(store, { meta: { a: '1' } })).rejects.toMatchObject({ details: { reason: 'store-failed' } });
    await rm(ballast);
    await store.reopen();
    expectRecord(await store.read(kept), kept);
    await commit(store, { puts: [live({ key: 'later', sequence: 2 })], sync: true });
    await store.close();
  });
});

describe.runIf(mountable())('an audit log on a disk that is full', () => {
  it('has whole lines but for those that were cut off, and the log says how many are missing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meridian-full-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
    if (mounted.status !== 0) throw new Error(`cannot mount a tmpfs: ${mounted.stderr}`);
    try {
      const [path, ballast] = [join(folder, 'audit'), join(folder, 'ballast')];
      await writeFile(ballast, Buffer.alloc(32 * 1024));
      let lost = 0;
      const told: string[] = [];
      const logger = loggerTo((_level, message, fields) => {
        told.push(message);
        lost += Number(fields?.['lost'] ?? 0);
      });
      const audit = new AuditFile({ path, writes: false, node: 'iad', clock: systemClock, logger });
      const linesMax = 1_000;
      const record = (n: number) => {
        const entry = { who: 'ci', tokenId: 'x', address: '::1', action: 'token.create', about: [`${n}`] };
        audit.record({ ...entry, outcome: 'ok' });
      };
      for (let n = 0; n < linesMax; n++) {
        record(n);
        if (n % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await expect.poll(() => told.length).toBeGreaterThan(0);
      await rm(ballast);
      record(linesMax);
      await audit.close();
      // A few short lines may fit where longer groups did not, before the disk is full for good.
      const times = told.length / 2;
      const pair = ['the audit log cannot be written; lines are lost', 'lines of the audit log were lost'];
      expect(told).toEqual(Array.from({ length: times }, () => pair).flat());
      const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
      const isWhole = (line: string) => line.startsWith('{') && line.endsWith('}');
      // The disk is full in the midst of a line, mostly; at its end there is none that was cut off.
      const cut = lines.length - (linesMax + 1 - lost);
      expect(cut).toBeGreaterThanOrEqual(0);
      expect(cut).toBeLessThanOrEqual(times);
      expect(lines.filter((line) => !isWhole(line)).length).toBeLessThanOrEqual(cut);
      expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ about: [`${linesMax}`] });
    } finally {
      spawnSync('umount', ['--lazy', folder]);
      await rmdir(folder);
    }
  });
});
