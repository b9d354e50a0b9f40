import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Record } from '../../../../src/model/record.ts';
import { live, logOne, noise } from '../../../contract/sample-records.ts';
import { bytes, collect, commit, metaText, withSnapshot } from '../../../contract/store-driver.ts';
import { SeededRandom } from '../../../support/seeded-random.ts';
import { type Cut, type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { createIn, openStore } from './opened-store.ts';
import { hasPostgres, type PostgresServer, startPostgres } from './postgres-server.ts';

/** Commits of one run; thousands by hand: POSTGRES_CUTS=5000. */
const commits = Number(process.env['POSTGRES_CUTS'] ?? 200);
const ways: readonly Cut[] = ['before', 'after', 'within'];

describe.skipIf(!hasPostgres())('a commit whose connection breaks', () => {
  let server: PostgresServer;
  let proxy: CuttingProxy;
  let schemas = 0;
  let schema = '';

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  beforeEach(async () => {
    schema = `cuts_${++schemas}`;
    await createIn(server.url(`?schema=${schema}`));
    proxy = await startCuttingProxy(server.port);
  });
  afterEach(() => proxy.close());

  const open = () => openStore(server.urlAt(proxy.port, `?schema=${schema}`), { leaseMs: 10_000 });
  const counted = () => Number(server.sql(`SELECT commits FROM ${schema}.writer`));

  it(
    'happens exactly once, whatever was lost',
    async () => {
      const { database, store, lost } = await open();
      const random = new SeededRandom(commits);
      const last = new Map<string, Record>();
      for (let n = 1; n <= commits; n++) {
        const isLarge = n % 25 === 0; // Of several statements in one transaction.
        const record = live({ key: `k${n % 40}`, sequence: n, value: noise(isLarge ? 2_000_000 : 100, n) });
        const held = await store.heads([record]);
        const way = ways[Math.floor(random.fraction() * 4)];
        if (way !== undefined) proxy.cutNext(isLarge ? 'COMMIT' : 'slice fenced', way);
        const meta = new Map([['n', bytes(`${n}`)]]);
        await store.commit({ puts: [{ record, held: held[0] }], removals: [], meta, sync: true });
        if (n % 20 === 0) expect(counted()).toBe(n);
        last.set(record.key, record);
      }
      expect(proxy.cuts).toBeGreaterThan(commits / 2);
      expect(await metaText(store, 'n')).toBe(`${commits}`);
      const logged = await withSnapshot(store, (view) => collect(view.log(logOne, 0)));
      const sequences = [...last.values()].map(({ position }) => position.sequence).sort((a, b) => a - b);
      expect(logged.map(({ position }) => position.sequence)).toEqual(sequences);
      expect(lost).toEqual([]);
      await store.close();
      await database.close();
    },
    Math.max(180_000, commits * 800),
  );

  it('is refused where another process took over meanwhile, and changes nothing', async () => {
    const { database, store, lost } = await open();
    await commit(store, { puts: [live({ key: 'a', sequence: 1 })], sync: true });
    server.sql(
      `UPDATE ${schema}.writer SET lease = '\\x01', holder = 'other 0', until = clock_timestamp() + '1 minute'`,
    );
    const later = commit(store, { puts: [live({ key: 'b', sequence: 2 })], sync: true });
    await expect(later).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'lease-lost' } });
    await expect(store.reopen()).rejects.toMatchObject({ details: { reason: 'lease-lost' } });
    expect(lost).toHaveLength(1);
    expect(database.holds).toBe(false);
    expect(server.sql(`SELECT count(*) FROM ${schema}.record`)).toBe('1');
    await store.close();
    await database.close();
  });

  it('is refused where the database went back behind it, which is told', async () => {
    const told: number[] = [];
    const observer = {
      statement() {},
      commitRetried() {},
      leaseTaken() {},
      leaseLost() {},
      tailLost: (n: number) => told.push(n),
    };
    const asked = { observer, leaseMs: 60_000 };
    const { database, store, lost } = await openStore(server.url(`?schema=${schema}`), asked);
    for (let n = 1; n <= 5; n++) await commit(store, { puts: [live({ key: `k${n}`, sequence: n })], sync: true });
    server.sql(`UPDATE ${schema}.writer SET commits = 3; DELETE FROM ${schema}.record WHERE sequence > 3`);
    const later = commit(store, { puts: [live({ key: 'k6', sequence: 6 })], sync: true });
    await expect(later).rejects.toMatchObject({ details: { reason: 'store-tail-lost', seen: 2 } });
    await expect(store.reopen()).rejects.toMatchObject({ details: { reason: 'store-tail-lost' } });
    expect([told, lost]).toMatchObject([[2], [{ details: { reason: 'store-tail-lost' } }]]);
    await store.close();
    await database.close();
    const next = await openStore(server.url(`?schema=${schema}`), { observer });
    await commit(next.store, { puts: [live({ key: 'k6', sequence: 6 })], sync: true });
    expect([counted(), told]).toEqual([4, [2]]);
    await next.store.close();
    await next.database.close();
  });

  it('goes through once a server that was killed is back, and loses nothing that was acknowledged', async () => {
    const { database, store } = await openStore(server.url(`?schema=${schema}`), { leaseMs: 20_000 });
    let acknowledged = 0;
    let isLoaded = true;
    const load = (async () => {
      while (isLoaded) {
        const n = acknowledged + 1;
        await commit(store, { puts: [live({ key: `k${n}`, sequence: n })], meta: { n: `${n}` }, sync: true });
        acknowledged = n;
      }
    })();
    for (let round = 0; round < 3; round++) {
      const before = acknowledged;
      await expect.poll(() => acknowledged, { timeout: 20_000 }).toBeGreaterThan(before + 20);
      await server.kill();
      await server.start();
    }
    const before = acknowledged;
    await expect.poll(() => acknowledged, { timeout: 20_000 }).toBeGreaterThan(before + 20);
    isLoaded = false;
    await load;
    expect(counted()).toBe(acknowledged);
    const logged = await withSnapshot(store, (view) => collect(view.log(logOne, 0)));
    expect(logged.map(({ position }) => position.sequence)).toEqual(
      Array.from({ length: acknowledged }, (_, i) => i + 1),
    );
    await store.close();
    await database.close();
  });
});
