import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { live, logOne } from '../../../contract/sample-records.ts';
import { collect, commit, withSnapshot } from '../../../contract/store-driver.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { createIn, openStore } from './opened-store.ts';
import { hasReplicas, type PostgresServer, startPostgres } from './postgres-server.ts';

/** Commits before, and while, the primary goes. */
const before = 30;

describe.skipIf(!hasReplicas())('a store on a primary with replicas', () => {
  const servers: PostgresServer[] = [];
  let proxy: CuttingProxy;
  const told: number[] = [];
  const observer = {
    statement() {},
    commitRetried() {},
    leaseTaken() {},
    leaseLost() {},
    tailLost: (commits: number) => void told.push(commits),
  };

  beforeEach(async () => {
    told.length = 0;
    const primary = await startPostgres(['wal_level=replica']);
    servers.push(primary);
    await createIn(primary.url());
    for (const name of ['one', 'two']) servers.push(await startReplica(primary, name));
    proxy = await startCuttingProxy(primary.port);
    await expect.poll(() => primary.sql('SELECT count(*) FROM pg_stat_replication'), { timeout: 20_000 }).toBe('2');
  });
  afterEach(async () => {
    await proxy.close();
    for (const server of servers.splice(0)) await server.remove();
  });

  function startReplica(primary: PostgresServer, name: string): Promise<PostgresServer> {
    return startPostgres([], (data, run) => {
      const from = `host=127.0.0.1 port=${primary.port} user=meridian application_name=${name}`;
      run('pg_basebackup', ['-D', data, '-R', '-X', 'stream', '-c', 'fast', '-d', from]);
    });
  }

  const all = () => {
    const [primary, one, two] = servers;
    if (primary === undefined || one === undefined || two === undefined) throw new Error('three servers');
    return { primary, one, two };
  };
  const open = () => openStore(proxyUrl(), { leaseMs: 20_000, observer });
  const proxyUrl = () => all().primary.urlAt(proxy.port);
  const promote = (server: PostgresServer) => {
    server.sql('SELECT pg_promote(true, 20)');
    proxy.leadTo(server.port);
  };

  it('loses no acknowledged commit where one replica had to confirm each, and the primary dies', async () => {
    const { primary, one, two } = all();
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (one, two)'");
    primary.sql('SELECT pg_reload_conf()');
    await expect
      .poll(() => primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"), {
        timeout: 20_000,
      })
      .toBe('2');
    const { store, database, lost } = await open();
    let acknowledged = 0;
    let isLoaded = true;
    const load = (async () => {
      while (isLoaded) {
        const n = acknowledged + 1;
        await commit(store, { puts: [live({ key: `k${n}`, sequence: n })], sync: true });
        acknowledged = n;
      }
    })();
    await expect.poll(() => acknowledged, { timeout: 20_000 }).toBeGreaterThan(before);
    await primary.kill();
    // As who looks after them does: the one that has more.
    const reached = (server: PostgresServer) => server.sql('SELECT pg_last_wal_receive_lsn() - pg_lsn($$0/0$$)');
    promote(BigInt(reached(one)) >= BigInt(reached(two)) ? one : two);
    const then = acknowledged;
    await expect.poll(() => acknowledged, { timeout: 20_000 }).toBeGreaterThan(then + before);
    isLoaded = false;
    await load;
    const logged = await withSnapshot(store, (view) => collect(view.log(logOne, 0)));
    expect(logged.map(({ position }) => position.sequence)).toEqual(
      Array.from({ length: acknowledged }, (_, i) => i + 1),
    );
    expect([told, lost]).toEqual([[], []]);
    await store.close();
    await database.close();
  });

  it('notices what an asynchronous replica that took over never had', async () => {
    const { primary, one } = all();
    const { store, database } = await open();
    for (let n = 1; n <= before; n++) await commit(store, { puts: [live({ key: `k${n}`, sequence: n })], sync: true });
    const counted = (server: PostgresServer) => server.sql('SELECT commits FROM meridian.writer');
    await expect.poll(() => counted(one), { timeout: 20_000 }).toBe(`${before}`);
    one.sql("ALTER SYSTEM SET primary_conninfo = ''");
    one.sql('SELECT pg_reload_conf()');
    await expect.poll(() => one.sql('SELECT count(*) FROM pg_stat_wal_receiver'), { timeout: 20_000 }).toBe('0');
    for (let n = before + 1; n <= before + 7; n++)
      await commit(store, { puts: [live({ key: `k${n}`, sequence: n })], sync: true });
    await primary.kill();
    promote(one);
    const next = live({ key: 'next', sequence: 1000 });
    const refused = store.commit({
      puts: [{ record: next, held: undefined }],
      removals: [],
      meta: new Map(),
      sync: true,
    });
    await expect(refused).rejects.toMatchObject({ details: { reason: 'store-tail-lost', seen: 7 } });
    expect(told).toEqual([7]);
    await store.close();
    await database.close();
    const again = await open();
    await again.store.commit({ puts: [{ record: next, held: undefined }], removals: [], meta: new Map(), sync: true });
    expect(counted(one)).toBe(`${before + 1}`);
    await again.store.close();
    await again.database.close();
  });
});
