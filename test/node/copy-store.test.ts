import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { copyStore } from '../../src/node/postgres/copy-store.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { live } from '../contract/sample-records.ts';
import { change, chooseFile, makeSample, onCopy, zero } from '../store/damage/damaged-copy.ts';
import { makeFolder } from '../store/level-folder.ts';
import { SeededRandom } from '../support/seeded-random.ts';

let folder: Awaited<ReturnType<typeof makeFolder>>;
const sample = { path: '', records: new Map() };

beforeAll(async () => {
  folder = await makeFolder();
  sample.path = join(folder.path, 'data');
  await makeSample(join(sample.path, 'store'), 600);
});

afterAll(() => folder.remove());

/** Somewhere in its tables, by chance. */
async function damage(data: string, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  for (let left = 6; left > 0; left--) {
    const table = await chooseFile(join(data, 'store'), /\.ldb$/, random);
    // Not the index of its blocks, which stands at the end.
    await change(table, (bytes) =>
      Buffer.concat([zero(1000, random)(bytes.subarray(0, -2000)), bytes.subarray(-2000)]),
    );
  }
}

/** Writes each record anew that is known to be damaged. */
async function heal(data: string) {
  const store = await openLevelStore(join(data, 'store'));
  const known = store.damaged();
  const puts = known.map(({ key }, n) => ({ record: live({ key, sequence: 10_000 + n }), held: undefined }));
  await store.commit({ puts, removals: [], meta: new Map(), sync: true });
  const condition = store.condition();
  await store.close();
  return condition;
}

const copyOf = (from: string) =>
  copyStore({
    ...{ from, to: 'postgres://127.0.0.1:1/meridian', copied: () => {} },
    outside: { clock: systemClock, random: systemRandom },
  });

it('a store that lost nobody knows what is not copied into a database, which would answer that it never was', async () => {
  await expect(copyOf(sample.path)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  let found = false;
  // One in ten has rows and log damaged at one place, and opens.
  for (let seed = 1; seed <= 200 && !found; seed++) {
    await onCopy(sample, async (data) => {
      await damage(data, seed);
      const condition = await heal(data).catch(() => undefined);
      if (condition?.absenceUncertain !== true) return;
      found = true;
      expect(condition.damagedRecords).toBe(0);
      await expect(copyOf(data)).rejects.toMatchObject({ code: 'DATA_LOSS', details: { reason: 'store-damaged' } });
    });
  }
  expect(found).toBe(true);
}, 60_000);
