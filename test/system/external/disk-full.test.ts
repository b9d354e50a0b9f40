import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMeridianError } from '../../../src/model/errors.ts';
import { openLevelStore } from '../../../src/store/level-store.ts';
import { live, noise, logOne } from '../../contract/sample-records.ts';
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
    const store = await openLevelStore(join(folder, 'store'), { writeBufferBytes: 1024 * 1024 });
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
});
