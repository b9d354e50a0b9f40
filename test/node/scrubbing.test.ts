import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Closing } from '../../src/node/closing.ts';
import { type NodeStoreOptions, openRefillableStore } from '../../src/node/open-store.ts';
import { scrubForEver } from '../../src/node/scrubbing.ts';
import { type LogFields, loggerTo, silentLogger } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { live, noise } from '../contract/sample-records.ts';
import { commit, expectRecord } from '../contract/store-driver.ts';
import { FakeClock } from '../edge/fake-clock.ts';
import { makeFolder } from '../store/level-folder.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const records = Array.from({ length: 200 }, (_, n) =>
  live({ key: `k${String(n).padStart(3, '0')}`, sequence: n + 1, value: noise(400, n) }),
);

let folder: Awaited<ReturnType<typeof makeFolder>>;
let told: string[];
let options: NodeStoreOptions;

beforeEach(async () => {
  folder = await makeFolder();
  told = [];
  options = {
    outside: {
      clock: systemClock,
      random: new SeededRandom(1),
      logger: loggerTo((_level, message) => told.push(message)),
    },
    closing: new Closing(silentLogger),
    name: 'store',
    acceptLoss: false,
    diskReserveBytes: 0,
    scrubRateBytes: 0,
  };
});

afterEach(async () => {
  await options.closing.close();
  await folder.remove();
});

async function fill(path: string): Promise<void> {
  const store = await openLevelStore(path);
  await commit(store, { puts: records, sync: true });
  await store.close();
  await (await openLevelStore(path)).close(); // Opening turns the log into a table.
}

async function zeroInTable(path: string, at: number): Promise<void> {
  const name = (await readdir(path)).find((each) => each.endsWith('.ldb'));
  const file = join(path, name ?? 'no table');
  const bytes = await readFile(file);
  await writeFile(file, bytes.fill(0, at, at + 512));
}

describe('a store that is verified while it is open', () => {
  it('finds what was damaged since it was opened, quarantines it, and answers all else meanwhile and after', async () => {
    const path = join(folder.path, 'store');
    await fill(path);
    const store = await openLevelStore(path);
    expect(await store.scrub()).toMatchObject({ roundDone: true });
    await zeroInTable(path, 60_000);
    const scrubbing = store.scrub();
    const during = Promise.all(records.slice(0, 3).map((record) => store.read(record)));
    expect((await scrubbing).damage).toMatch(/blocks are damaged/);
    for (const [index, found] of (await during).entries()) expectRecord(found, records[index]);
    let lost = 0;
    for (const record of records) {
      const found = await store.read(record).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'DATA_LOSS' });
        lost++;
        return record;
      });
      expectRecord(found, record);
    }
    expect(lost).toBeGreaterThan(0);
    expect(store.condition().damagedRecords).toBe(lost);
    expect((await store.scrub()).damage).toBeUndefined();
    await commit(store, { meta: { a: '1' }, sync: true });
    await store.close();
  });

  it('is verified step by step in the background, which says in the log what it finds', async () => {
    const path = join(folder.path, 'store');
    await fill(path);
    const store = await openLevelStore(path);
    await zeroInTable(path, 60_000);
    const clock = new FakeClock();
    const stopping = new AbortController();
    const found = new Promise<LogFields | undefined>((resolve) => {
      const logger = loggerTo((_level, _message, fields) => resolve(fields));
      void scrubForEver(store, { clock, logger, bytesPerSecond: 1_000_000 }, stopping.signal);
    });
    expect(await found).toMatchObject({ damagedRecords: store.condition().damagedRecords });
    expect(store.condition().damagedRecords).toBeGreaterThan(0);
    stopping.abort();
    await store.close();
  });
});

describe('a store that its upstream fills again', () => {
  it('is put aside where it is damaged beyond its records, and begun anew', async () => {
    const path = join(folder.path, 'copy');
    await fill(path);
    const table = (await readdir(path)).find((each) => each.endsWith('.ldb')) ?? '';
    await writeFile(join(path, table), 'no table');
    const store = await openRefillableStore(path, options);
    expect(await store.heads(records.slice(0, 1))).toEqual([undefined]);
    expect(await readdir(`${path}-damaged`)).toContain(table);
    expect(told).toEqual(['a damaged store is put aside and will be filled again']);
  });

  it('stays where it is where it is of a later format', async () => {
    const path = join(folder.path, 'copy');
    await mkdir(path);
    const store = await openLevelStore(path);
    await store.close();
    const { ClassicLevel } = await import('classic-level');
    const raw = new ClassicLevel(path);
    await raw.put('sformat', '99');
    await raw.close();
    await expect(openRefillableStore(path, options)).rejects.toMatchObject({
      details: { reason: 'store-format-unknown' },
    });
    expect(await readdir(folder.path)).toEqual(['copy']);
  });
});
