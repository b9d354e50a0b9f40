import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { copyStore } from '../../../../src/node/postgres/copy-store.ts';
import { initStore } from '../../../../src/node/postgres/init-store.ts';
import type { Clock } from '../../../../src/runtime/clock.ts';
import { systemRandom } from '../../../../src/runtime/random.ts';
import { systemClock } from '../../../../src/runtime/system-clock.ts';
import { openLevelStore } from '../../../../src/store/level-store.ts';
import { live, noise, sampleSeconds, tombstone } from '../../../contract/sample-records.ts';
import { collect, commit, expectRecord, metaText, withSnapshot } from '../../../contract/store-driver.ts';
import { openStore } from './opened-store.ts';
import { hasPostgres, type PostgresServer, startPostgres } from './postgres-server.ts';

describe.skipIf(!hasPostgres())('a database for an origin', () => {
  let server: PostgresServer;
  let folder: string;
  let schemas = 0;
  let url: string;

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'meridian-copy-'));
    url = server.url(`?schema=commands_${++schemas}`);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is prepared once, and left as it is after that', async () => {
    expect(await initStore(url, systemClock)).toMatchObject({ created: true });
    expect(await initStore(url, systemClock)).toMatchObject({ created: false });
  });

  it('is prepared by one of those that do it at once, and the others find it so', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => initStore(url, systemClock)));
    expect(all.filter(({ created }) => created)).toHaveLength(1);
  });

  it('is refused, with what is missing, to a user without rights; and no error shows a password', async () => {
    server.sql("CREATE ROLE weak LOGIN PASSWORD 'hunter2hunter2'");
    const weak = url.replace('meridian@', 'weak:hunter2hunter2@');
    const refused: unknown = await initStore(weak, systemClock).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'PERMISSION_DENIED', details: { reason: 'store-rights' } });
    expect(String(refused)).toContain('GRANT CREATE ON DATABASE');
    const away = weak.replace(`:${server.port}`, ':1');
    const unreached: unknown = await initStore(away, systemClock).catch((error: unknown) => error);
    expect(unreached).toMatchObject({ code: 'UNAVAILABLE' });
    for (const error of [refused, unreached]) expect(String(error)).not.toContain('hunter2');
  });

  it('is refused where it was not prepared, or by a later version', async () => {
    await expect(openStore(url)).rejects.toMatchObject({ details: { reason: 'store-not-created' } });
    await initStore(url, systemClock);
    server.sql(`UPDATE commands_${schemas}.about SET version = 99`);
    await expect(openStore(url)).rejects.toMatchObject({ details: { reason: 'store-format-unknown', seen: 99 } });
  });

  it('takes a copy of a folder with every record and all state, once', async () => {
    const records = [
      live({ key: 'small', sequence: 1, metadata: '{}', expiresAt: sampleSeconds }),
      live({ key: 'large', sequence: 2, value: noise(3_000_000, 1) }),
      tombstone({ key: 'gone', sequence: 3 }),
      ...Array.from({ length: 2500 }, (_, i) => live({ key: `k${i}`, sequence: i + 10 })),
    ];
    const source = await openLevelStore(join(folder, 'store'));
    await commit(source, { puts: records, meta: { ledger: 'state', identity: 'me' }, sync: true });
    await source.close();
    await initStore(url, systemClock);
    // What a copy that broke off leaves: records, and no state.
    const broken = await openStore(url);
    await commit(broken.store, { puts: [live({ key: 'stray', sequence: 9 })], sync: true });
    await broken.store.close();
    await broken.database.close();
    let copied = 0;
    const outside = { clock: systemClock, random: systemRandom };
    const count = (more: number) => {
      copied += more;
    };
    const copy = () => copyStore({ from: folder, to: url, outside, copied: count });
    await copy();
    expect(copied).toBe(records.length);
    const { store, database } = await openStore(url);
    for (const record of records.slice(0, 4)) expectRecord(await store.read(record), record);
    expect(await withSnapshot(store, (view) => collect(view.records({})))).toHaveLength(records.length);
    expect([await metaText(store, 'ledger'), await metaText(store, 'identity')]).toEqual(['state', 'me']);
    await store.close();
    await database.close();
    await expect(copy()).rejects.toMatchObject({ details: { reason: 'store-not-empty' } });
  });

  it('takes a copy where one that was killed still holds the database, and none where an origin is at work', async () => {
    const source = await openLevelStore(join(folder, 'store'));
    await commit(source, { puts: [live({ key: 'a', sequence: 1 })], meta: { identity: 'me' }, sync: true });
    await source.close();
    await initStore(url, systemClock);
    // Its lease of half a minute is over soon.
    const fast: Clock = {
      ...systemClock,
      monotonicMs: () => systemClock.monotonicMs() * 20,
      timer: (delayMs, run) => systemClock.timer(delayMs / 20, run),
    };
    const copy = (clock: Clock) =>
      copyStore({ from: folder, to: url, outside: { clock, random: systemRandom }, copied: () => {} });
    const schema = `commands_${schemas}`;
    server.sql(
      `UPDATE ${schema}.writer SET lease = '\\x01', holder = 'meridian store copy 0f', until = clock_timestamp() + '1 s'`,
    );
    await copy(fast);
    const origin = await openStore(url);
    await expect(copy(systemClock)).rejects.toMatchObject({
      details: { reason: 'store-not-empty' },
      message: expect.stringContaining('meridian uses it'),
    });
    expect(origin.lost).toEqual([]);
    await origin.store.close();
    await origin.database.close();
  });
});
