import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../support/free-port.ts';
import { type metric, ProcessCluster, placeOf } from '../../process-cluster.ts';
import { createIn } from './opened-store.ts';
import { hasPostgres, type PostgresServer, startPostgres } from './postgres-server.ts';

const patience = { timeout: 40_000, interval: 100 };

describe.skipIf(!hasPostgres())('two origins on one database', () => {
  let server: PostgresServer;
  let cluster: ProcessCluster;
  let schemas = 0;
  let url = '';

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  beforeEach(async () => {
    url = server.url(`?schema=fail_over_${++schemas}`);
    await createIn(url);
    cluster = new ProcessCluster();
  });
  afterEach(() => cluster.close());

  const logOf = (name: string) => readFileSync(join(cluster.folder, `${name}.log`), 'utf8');

  async function start() {
    const [a, b] = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
    if (a === undefined || b === undefined) throw new Error('two ports');
    // Addresses of its own choice a node chooses anew when it takes over.
    const origin = async (name: string, listen: string) => {
      const http = `127.0.0.1:${await freePort()}`;
      return cluster.start('origin', name, { listen, http, flags: ['--store', url, '--store-lease', '2s'] });
    };
    const first = await origin('first', a);
    const second = await origin('second', b);
    const edge = await cluster.start('edge', 'edge', { flags: ['--upstream', a, '--upstream', b, '--replicate', '*'] });
    const client = cluster.connect(edge);
    await expect
      .poll(
        () =>
          client.namespaces.create('ns').then(
            () => true,
            () => false,
          ),
        patience,
      )
      .toBe(true);
    const ns = client.namespace('ns');
    return { first, second, client, ns };
  }

  /** How many followers of that origin had to begin anew. */
  const resyncs = async (origin: Parameters<typeof metric>[0]) => {
    const text = await (await fetch(`http://${placeOf(origin.http)}/metrics`)).text();
    expect(text).toContain('meridian_feed_resyncs_sent_total');
    const lines = text.split('\n').filter((line) => line.startsWith('meridian_feed_resyncs_sent_total{'));
    return lines.map((line) => Number(line.split(' ').at(-1))).reduce((sum, each) => sum + each, 0);
  };

  it('go on as one member where the holder is killed: nothing acknowledged is lost, and no edge begins anew', async () => {
    const { first, second, ns, client } = await start();
    const standby = cluster.connect(second).namespace('ns');
    await ns.put('k', 'through the edge');
    expect(await standby.get('k')).toBe('through the edge');
    const acknowledged: string[] = [];
    let isLoaded = true;
    const load = (async () => {
      for (let n = 0; isLoaded; n++) {
        const done = await ns.put(`n${n}`, `${n}`).then(
          () => true,
          () => false,
        );
        if (done) acknowledged.push(`${n}`);
        else await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    await expect.poll(() => acknowledged.length, patience).toBeGreaterThan(20);
    await first.kill();
    const killed = acknowledged.length;
    await expect.poll(() => acknowledged.length, patience).toBeGreaterThan(killed + 20);
    isLoaded = false;
    await load;
    const atNew = cluster.connect(second).namespace('ns');
    for (const n of acknowledged) expect(await atNew.get(`n${n}`)).toBe(n);
    for (const n of acknowledged) expect(await ns.get(`n${n}`)).toBe(n); // Its own session holds.
    await expect.poll(async () => (await client.status()).scopes[0]?.upstream, patience).toBe(placeOf(second.grpc));
    expect(await resyncs(second)).toBe(0);
    expect(logOf('second')).toContain('this process holds the store');
  });

  it('never write both: one that was paused past its lease stores nothing more, says why, and stands by', async () => {
    const { first, second } = await start();
    const atFirst = cluster.connect(first, { timeoutMs: 3_000 }).namespace('ns');
    await atFirst.put('k', 'before');
    process.kill(first.pid, 'SIGSTOP');
    // It answers from the moment it goes on, whatever reached its sockets while it was paused.
    const late = atFirst.put('k', 'by a paused holder').then(
      () => 'stored',
      () => 'refused',
    );
    const atSecond = cluster.connect(second, { timeoutMs: 3_000 }).namespace('ns');
    await expect.poll(() => atSecond.put('k', 'after').then(() => 'done', String), patience).toBe('done');
    await expect.poll(() => logOf('second'), patience).toContain('this process holds the store');
    await expect.poll(() => atSecond.get('k'), patience).toBe('after');
    process.kill(first.pid, 'SIGCONT');
    await expect.poll(() => logOf('first'), patience).toContain('another process holds the store: nothing more');
    await expect.poll(() => logOf('first'), patience).toContain('this one stands by');
    const outcome = await late;
    // Whatever the paused one was asked for reaches the new holder, or nobody.
    const held = await atSecond.get('k');
    expect(outcome === 'refused' ? ['after', 'by a paused holder'] : ['by a paused holder']).toContain(held);
    const again = cluster.connect(first, { timeoutMs: 5_000 }).namespace('ns');
    await expect.poll(() => again.put('k', 'forwarded').then(() => 'done', String), patience).toBe('done');
    expect(await atSecond.get('k')).toBe('forwarded');
    const notes = async (node: typeof first) => (await cluster.connect(node).status()).notes.join('\n');
    await expect.poll(() => notes(second), patience).toMatch(/holds postgres:.*standby: first/s);
    await expect.poll(() => notes(first), patience).toContain('takes over from second');
  });

  it('take over without delay from a holder that stands still with calls that were passed on to it', async () => {
    const { first, second } = await start();
    const atSecond = cluster.connect(second, { timeoutMs: 30_000 }).namespace('ns');
    await atSecond.put('k', 'before');
    process.kill(first.pid, 'SIGSTOP');
    const passedOn = atSecond.put('k', 'passed on').then(() => 'done', String);
    const written = () =>
      cluster
        .connect(second, { timeoutMs: 1_000 })
        .namespace('ns')
        .put('k', 'after')
        .then(() => 'done', String);
    await expect.poll(() => logOf('second'), patience).toContain('this process holds the store');
    const takenMs = performance.now();
    await expect.poll(written, patience).toBe('done');
    // What was passed on may last for 30 s, and a drain for 10 s.
    expect(performance.now() - takenMs).toBeLessThan(5_000);
    await passedOn;
  });

  it('show nothing of a commit that its holder was paused in the midst of, past its lease', async () => {
    const { first, second } = await start();
    const atFirst = cluster.connect(first, { timeoutMs: 60_000 }).namespace('ns');
    await atFirst.write([
      { kind: 'put', key: 'large', value: 'before' },
      { kind: 'put', key: 'last', value: 'before' },
    ]);
    const schema = new URL(url).searchParams.get('schema');
    const inTransaction = () =>
      server.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'meridian' AND backend_xid IS NOT NULL",
      );
    // Somebody keeps the row that the commit changes last: so it has written most of its slices, and waits.
    const other = new pg.Client(server.url());
    await other.connect();
    await other.query('BEGIN');
    await other.query(`SELECT 1 FROM ${schema}.record WHERE key = 'last' FOR UPDATE`);
    const half = atFirst
      .write([
        { kind: 'put', key: 'large', value: new Uint8Array(8 * 1024 * 1024).fill(1) },
        { kind: 'put', key: 'last', value: 'after' },
      ])
      .then(
        () => 'stored',
        () => 'refused',
      );
    const isWaiting = () =>
      server.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'meridian' AND wait_event_type = 'Lock'",
      );
    await expect.poll(isWaiting, patience).toBe('1');
    process.kill(first.pid, 'SIGSTOP');
    await other.query('COMMIT');
    await other.end();
    const atSecond = cluster.connect(second, { timeoutMs: 3_000 }).namespace('ns');
    await expect.poll(() => logOf('second'), patience).toContain('this process holds the store');
    await expect.poll(() => atSecond.put('new', '1').then(() => 'done', String), patience).toBe('done');
    const values = async () => [await atSecond.get('large'), await atSecond.get('last')];
    expect(await values()).toEqual(['before', 'before']);
    await expect.poll(inTransaction, patience).toBe('0');
    process.kill(first.pid, 'SIGCONT');
    await expect.poll(() => logOf('first'), patience).toContain('another process holds the store: nothing more');
    await expect.poll(() => logOf('first'), patience).toContain('this one stands by');
    expect(await half).toBe('refused');
    expect(await values()).toEqual(['before', 'before']);
    expect(server.sql(`SELECT count(*) FROM ${schema}.chunk`)).toBe('0');
    expect(logOf('second')).not.toContain('another process holds the store: nothing more');
  });

  it('tell where they are reached once they listen, also on any port; a standby says of whom it does not know that yet', async () => {
    const flags = ['--store', url, '--store-lease', '2s'];
    const first = await cluster.start('origin', 'first', { flags });
    const schema = new URL(url).searchParams.get('schema');
    const row = `${schema}.writer`;
    const address = () => server.sql(`SELECT address FROM ${row}`);
    await expect.poll(address, patience).toBe(placeOf(first.grpc));
    // Whoever looks between a take-over and the first announcement sees this.
    server.sql(`UPDATE ${row} SET address = ''`);
    const second = await cluster.start('origin', 'second', { listen: `127.0.0.1:${await freePort()}`, flags });
    const notes = async () => (await cluster.connect(second).status()).notes.join('\n');
    await expect.poll(notes, patience).toContain('takes over from first (which tells no address yet)');
    expect(logOf('second')).toContain('first (which tells no address yet)');
    // The answer to a commit is lost: the first takes the lease from itself, and tells its address with it.
    const other = new pg.Client(server.url());
    await other.connect();
    await other.query('BEGIN');
    await other.query(`LOCK TABLE ${schema}.record IN EXCLUSIVE MODE`); // A commit waits for that, a renewal does not.
    const created = cluster.connect(first, { timeoutMs: 30_000 }).namespaces.create('ns');
    const cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await expect.poll(() => server.sql(cut), patience).not.toBe('0');
    await other.query('COMMIT');
    await other.end();
    await created;
    expect(address()).toBe(placeOf(first.grpc));
    await expect.poll(() => logOf('second'), patience).toContain(`first (${placeOf(first.grpc)})`);
    const through = () => cluster.connect(second, { timeoutMs: 2_000 }).namespace('ns').put('k', '1');
    await expect.poll(() => through().then(() => 'done', String), patience).toBe('done');
  });

  it('serve on once the database was away, and answer nothing as fresh meanwhile', async () => {
    const { first, ns } = await start();
    await ns.put('k', '1');
    await server.kill();
    const direct = cluster.connect(first, { timeoutMs: 2_000 }).namespace('ns');
    await expect
      .poll(
        () =>
          direct.get('k').then(
            () => 'answered',
            () => 'refused',
          ),
        patience,
      )
      .toBe('refused');
    await server.start();
    await expect.poll(() => ns.put('k', '2').then(() => 'done', String), patience).toBe('done');
    await expect.poll(() => ns.get('k'), patience).toBe('2');
  });

  /** Longer than a commit waits for its database (20 s). */
  const outage = () => new Promise((resolve) => setTimeout(resolve, 25_000));

  it('go on after the database was away, under writes, for longer than a commit waits', async () => {
    const { ns } = await start();
    await ns.put('k', '1');
    let isLoaded = true;
    const load = (async () => {
      for (let n = 0; isLoaded; n++) {
        await ns.put(`n${n}`, `${n}`).catch(() => new Promise((resolve) => setTimeout(resolve, 50)));
      }
    })();
    await server.kill();
    await outage();
    await server.start();
    await expect.poll(() => ns.put('k', '2').then(() => 'done', String), { ...patience, timeout: 60_000 }).toBe('done');
    isLoaded = false;
    await load;
    await expect.poll(() => ns.get('k'), patience).toBe('2');
  });

  it('or one without a standby', async () => {
    const listen = `127.0.0.1:${await freePort()}`;
    const alone = await cluster.start('origin', 'alone', { listen, flags: ['--store', url, '--store-lease', '2s'] });
    const client = cluster.connect(alone, { timeoutMs: 3_000 });
    await client.namespaces.create('ns');
    const ns = client.namespace('ns');
    await ns.put('k', '1');
    await server.kill();
    await expect(ns.put('k', 'during the outage')).rejects.toMatchObject({ name: 'MeridianError' });
    await outage();
    await server.start();
    await expect.poll(() => ns.put('k', '2').then(() => 'done', String), { ...patience, timeout: 60_000 }).toBe('done');
    await expect.poll(() => ns.get('k'), patience).toBe('2');
  });
});
