import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { OriginConfig } from '../../../../src/config/config.ts';
import { resolveConfig } from '../../../../src/config/resolve.ts';
import { headOf } from '../../../../src/model/record.ts';
import { processOutside } from '../../../../src/node/outside.ts';
import { warnOfSettings } from '../../../../src/node/postgres/open-database.ts';
import { originStarter } from '../../../../src/node/postgres/origin-starter.ts';
import { loggerTo } from '../../../../src/runtime/logger.ts';
import { systemRandom } from '../../../../src/runtime/random.ts';
import { systemClock } from '../../../../src/runtime/system-clock.ts';
import { postgresDefaults } from '../../../../src/store/postgres/postgres-options.ts';
import { SqlClient } from '../../../../src/store/postgres/sql-client.ts';
import { live, noise } from '../../../contract/sample-records.ts';
import { collect, commit, expectRecord, keysOf } from '../../../contract/store-driver.ts';
import { freePort } from '../../../support/free-port.ts';

import { startCuttingProxy } from './cutting-proxy.ts';
import { createIn, openStore, optionsFor } from './opened-store.ts';
import { hasPostgres, type PostgresServer, startPostgres } from './postgres-server.ts';

const patience = { timeout: 40_000, interval: 100 };

describe.skipIf(!hasPostgres())('a store whose surroundings are against it', () => {
  let server: PostgresServer;
  let schemas = 0;
  let schema = '';
  let url = '';

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    schema = `hostile_${++schemas}`;
    url = server.url(`?schema=${schema}`);
    await createIn(url);
  });

  const holder = () => server.sql(`SELECT holder FROM ${schema}.writer`);

  it('is taken over from a process that stands still in a transaction with the row of the writer', async () => {
    const stopped = await SqlClient.connect({ ...optionsFor(url), idleTransactionMsMax: 1_000 });
    await stopped.query({ text: 'BEGIN' });
    await stopped.query({ text: `UPDATE ${schema}.writer SET commits = 99` });
    const { database, store } = await openStore(url, { statementMsMax: 30_000 });
    await commit(store, { puts: [live({ key: 'a', sequence: 1 })], sync: true });
    expect(server.sql(`SELECT commits FROM ${schema}.writer`)).toBe('1');
    expect(stopped.isEnded).toBe(true);
    await store.close();
    await database.close();
  });

  it('reads and writes right whatever the role and the URL set', async () => {
    server.sql(`CREATE SCHEMA IF NOT EXISTS trap;
      CREATE OR REPLACE FUNCTION trap.octet_length(bytea) RETURNS integer LANGUAGE sql AS 'SELECT 0';
      ALTER ROLE meridian SET bytea_output = 'escape';
      ALTER ROLE meridian SET search_path = 'trap, pg_catalog';
      ALTER ROLE meridian SET default_transaction_isolation = 'serializable'`);
    try {
      const { database, store } = await openStore(`${url}&statement_timeout=0`);
      const records = [live({ key: 'a', sequence: 1 }), live({ key: 'b', sequence: 2, value: noise(2_000_000, 1) })];
      await commit(store, { puts: records, sync: true });
      for (const record of records) expectRecord(await store.read(record), record);
      const shown = async (setting: string) => (await database.ask({ text: `SHOW ${setting}` }, []))[0]?.[0];
      expect(await shown('bytea_output')).toBe('hex');
      expect(await shown('search_path')).toBe('pg_catalog, pg_temp');
      expect(await shown('default_transaction_isolation')).toBe('read committed');
      expect(await shown('statement_timeout')).toBe('10s');
      await store.close();
      await database.close();
    } finally {
      server.sql('ALTER ROLE meridian RESET ALL; DROP SCHEMA trap CASCADE');
    }
  });

  it('connects with few questions', async () => {
    let answered = 0;
    const observer = { ...postgresDefaults.observer, statement: () => void answered++ };
    const client = await SqlClient.connect({ ...optionsFor(url, { observer }), idleTransactionMsMax: 1_000 });
    expect(answered).toBe(2);
    await client.end();
  });

  it('tells a user without rights of those, and not of missing tables', async () => {
    server.sql('CREATE ROLE stranger LOGIN');
    const strange = url.replace('//meridian@', '//stranger@');
    const refused = { code: 'PERMISSION_DENIED', message: expect.stringContaining(`schema ${schema}`) };
    await expect(openStore(strange)).rejects.toMatchObject(refused);
    await expect(createIn(strange)).rejects.toMatchObject(refused);
    const missing = { code: 'FAILED_PRECONDITION', details: { reason: 'store-not-created' } };
    await expect(openStore(server.url('?schema=missing'))).rejects.toMatchObject(missing);
  });

  it.each(['user', 'table'])('keeps its tables in a schema that is named %s', async (name) => {
    const named = server.url(`?schema=${name}`);
    await createIn(named);
    const { database, store } = await openStore(named);
    const record = live({ key: 'a', sequence: 1 });
    await commit(store, { puts: [record], sync: true });
    expectRecord(await store.read(record), record);
    expect(await store.approximateBytes()).toBeGreaterThan(0);
    await store.close();
    await database.close();
  });

  it('commits while hundreds of slow reads stand in line', async () => {
    const { database, store } = await openStore(url, { connectionsMax: 5, statementMsMax: 60_000 });
    let answered = 0;
    const reads = Array.from({ length: 100 }, () =>
      database.ask({ text: 'SELECT 1 FROM pg_sleep(0.1)' }, []).then(
        () => answered++,
        () => {},
      ),
    );
    const record = live({ key: 'a', sequence: 1 });
    await store.heads([record]);
    const view = store.snapshot();
    await commit(store, { puts: [record], sync: true });
    expect(await view.read(record)).toBeUndefined();
    expect(answered).toBeLessThan(80);
    await view.close();
    await store.close();
    await database.close();
    await Promise.all(reads);
  });

  it('tells no log by a snapshot that a purge overtook while it stood in line, and commits meanwhile', async () => {
    // One connection for views.
    const { database, store } = await openStore(url, { connectionsMax: 5 });
    const [kept, purged] = [live({ key: 'kept', sequence: 1 }), live({ key: 'purged', sequence: 2 })];
    await commit(store, { puts: [kept, purged], sync: true });
    const first = store.snapshot();
    const overtaken = store.snapshot();
    await store.commit({ puts: [], removals: [headOf(purged)], meta: new Map(), sync: true });
    const later = store.snapshot();
    await first.close();
    const left = keysOf([kept]);
    expect(keysOf(await collect(overtaken.records({})))).toEqual(left);
    const refused = { code: 'UNAVAILABLE', details: { reason: 'snapshot-overtaken' } };
    await expect(collect(overtaken.log(kept.position.log, 1))).rejects.toMatchObject(refused);
    await expect(overtaken.logs()).rejects.toMatchObject(refused);
    await overtaken.close();
    expect(keysOf(await collect(later.log(kept.position.log, 1)))).toEqual(left);
    await later.close();
    await store.close();
    await database.close();
  });

  it('reads no more from the server that it wrote to before its connection led elsewhere', async () => {
    const proxy = await startCuttingProxy(server.port);
    const { database, store } = await openStore(server.urlAt(proxy.port, `?schema=${schema}`), { leaseMs: 10_000 });
    const backend = async () => (await database.ask({ text: 'SELECT pg_backend_pid()' }, []))[0]?.[0];
    const before = await backend();
    expect(await backend()).toBe(before);
    const view = store.snapshot();
    await view.logs();
    proxy.cutNext('slice fenced', 'after');
    const record = live({ key: 'a', sequence: 1 });
    await commit(store, { puts: [record], sync: true });
    expect(proxy.cuts).toBe(1);
    expect(await backend()).not.toBe(before);
    await expect(view.read(record)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await view.close();
    await store.close();
    await database.close();
    await proxy.close();
  });

  it('gives a view up where the server ended it, and its connection with it', async () => {
    const { database, store } = await openStore(url);
    const view = store.snapshot();
    await view.logs();
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'");
    await expect(view.logs()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await view.close();
    const next = store.snapshot();
    expect(await next.logs()).toEqual([]);
    await next.close();
    await store.close();
    await database.close();
  });

  it.each(['off', 'local', 'on'])(
    'warns where it must of synchronous_commit = %s, which a role may set',
    async (value) => {
      server.sql(`ALTER ROLE meridian SET synchronous_commit = '${value}'`);
      const { database, store } = await openStore(url);
      const log = vi.fn();
      const outside = { clock: systemClock, random: systemRandom, logger: loggerTo(log) };
      await warnOfSettings(database, database.options.place, outside).finally(() =>
        server.sql('ALTER ROLE meridian RESET ALL'),
      );
      const told = log.mock.calls.map(([level, , fields]) => [level, fields.setting, fields.value]);
      expect(told).toEqual(value === 'on' ? [] : [['warn', 'synchronous_commit', value]]);
      await store.close();
      await database.close();
    },
  );

  it('takes a view where idle connections were ended meanwhile', async () => {
    const { database, store } = await openStore(url);
    const views = Array.from({ length: 3 }, () => store.snapshot());
    for (const view of views) await view.logs();
    for (const view of views) await view.close();
    // As `idle_session_timeout`, or whatever lies in between, does.
    const idle = `pid IN (SELECT pid FROM pg_stat_activity WHERE state = 'idle' AND query = 'COMMIT')`;
    expect(server.sql(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE ${idle}`)).toBe('3');
    await sleep(200); // Until this side was told.
    const view = store.snapshot();
    expect(await view.logs()).toEqual([]);
    await view.close();
    await store.close();
    await database.close();
  });

  describe('and a standby', () => {
    let folder = '';
    let config: OriginConfig;

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'meridian-standby-'));
      const flags = {
        name: 'iad',
        data: folder,
        listen: `127.0.0.1:${await freePort()}`,
        http: `127.0.0.1:${await freePort()}`,
      };
      config = resolveConfig('origin', { flags, env: { MERIDIAN_STORE: url }, file: {} });
      return () => rmSync(folder, { recursive: true, force: true });
    });

    const hold = (address: string) =>
      server.sql(
        `UPDATE ${schema}.writer SET lease = '\\x01', holder = 'iad 0f', address = '${address}', until = clock_timestamp() + '1 hour'`,
      );
    const release = () => server.sql(`UPDATE ${schema}.writer SET holder = '', until = clock_timestamp()`);
    const outside = () => processOutside({ ...config, role: 'origin', logLevel: { least: 'error', modules: {} } });

    it.each(['once it took over', 'while it takes over'])(
      'that is told to end %s gives the store back',
      async (when) => {
        hold('localhost:1');
        const start = originStarter(config);
        const node = await start(await outside());
        release();
        if (when === 'once it took over') {
          await expect.poll(() => node.mustReopen?.aborted, patience).toBe(true);
          expect(holder()).toMatch(/^iad /);
        }
        await node.stop();
        await start.close?.();
        expect(holder()).toBe('');
        const open = () => server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'meridian'");
        await expect.poll(open, patience).toBe('0');
      },
    );

    it('waits for a database no longer than until it is told to end', async () => {
      const environment = { MERIDIAN_STORE: `postgres://meridian@127.0.0.1:${await freePort()}/postgres` };
      const away = resolveConfig('origin', { flags: { name: 'iad', data: folder }, env: environment, file: {} });
      const stop = new AbortController();
      const log = vi.fn(() => stop.abort(new Error('stopped by SIGTERM')));
      const started = originStarter(away)({ ...(await outside()), logger: loggerTo(log) }, stop.signal);
      await expect(started).rejects.toThrow('stopped by SIGTERM');
      expect(log).toHaveBeenCalledTimes(1);
    });

    it('does not come to itself where an earlier process at its address held the store', async () => {
      const address = `127.0.0.1:${config.listen.port}`;
      hold(address);
      const start = originStarter(config);
      const log = vi.fn();
      const node = await start({ ...(await outside()), logger: loggerTo(log) });
      const standsBy = expect.stringContaining('stands by');
      expect(log).toHaveBeenCalledWith('info', standsBy, expect.not.objectContaining({ upstream: expect.anything() }));
      release();
      await expect.poll(() => node.mustReopen?.aborted, patience).toBe(true);
      await node.stop();
      const origin = await start(await outside());
      expect(await origin.ready()).toBe(true);
      await origin.stop();
      await start.close?.();
    });
  });
});
