import { execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, assert, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ClusterHandle } from '../../../src/client/cluster-handle.ts';
import { RespClient } from '../../resp/served.ts';
import { freePort } from '../../support/free-port.ts';
import { meridianScript, ProcessCluster, placeOf } from '../process-cluster.ts';
import { hasRedis, startRedis } from './redis/redis-server.ts';

const hasEtcd = ['etcd', 'etcdctl'].every((program) => spawnSync(program, ['--help']).status === 0);
if (!hasEtcd) console.warn("SKIPPED: needs etcd and etcdctl (Debian's etcd-server and etcd-client)");

const cluster = new ProcessCluster();
let client: ClusterHandle;
let endpoint: string;

beforeAll(async () => {
  const origin = await cluster.start('origin', 'iad');
  client = cluster.connect(origin);
  endpoint = placeOf(origin.grpc);
});

afterAll(() => cluster.close());

function meridian(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [meridianScript, ...words, '--endpoint', endpoint], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

describe.skipIf(!hasRedis)('an import from a Redis that runs', () => {
  it('brings all strings with their expiry, byte by byte, and says what it leaves out', async () => {
    await client.namespaces.create('from-redis');
    const redis = await startRedis();
    const source = await RespClient.connect(redis.port);
    try {
      for (let n = 0; n < 3000; n++) await source.ask('SET', `k:${n}`, `value ${n}`);
      await source.ask('SET', 'lives', 'an hour', 'EX', '3600');
      await source.ask('SET', 'empty', '');
      await source.ask('RPUSH', 'queue', 'a', 'b');
      await source.ask('SELECT', '1');
      await source.ask('SET', 'elsewhere', '1');
      const url = `redis://127.0.0.1:${redis.port}/0`;
      const before = Math.floor(Date.now() / 1000);
      expect(await meridian('import', 'from-redis', url)).toEqual({
        code: 0,
        stdout: '3002 records imported\n',
        stderr: '1 keys that hold no string are left out\n',
      });
      const ns = client.namespace('from-redis');
      expect(await ns.get('k:2999')).toBe('value 2999');
      expect(await ns.get('empty')).toBe('');
      expect(await ns.get('elsewhere')).toBeNull();
      const { keys } = await ns.list({ prefix: 'lives' });
      expect(keys[0]?.expiration).toBeGreaterThanOrEqual(before + 3590);
      expect(keys[0]?.expiration).toBeLessThanOrEqual(before + 3720);
      expect((await meridian('count', 'from-redis')).stdout).toBe('3002\n');
    } finally {
      source.socket.destroy();
      await redis.close();
    }
  });

  it('says what Redis refuses, and that it is not there', async () => {
    const redis = await startRedis();
    const refused = await meridian('import', 'from-redis', `redis://:wrong@127.0.0.1:${redis.port}`);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('Redis says: ERR AUTH')]);
    await redis.close();
    const away = await meridian('import', 'from-redis', `redis://127.0.0.1:${redis.port}`);
    expect([away.code, away.stderr]).toEqual([1, expect.stringContaining('is not reached')]);
  });
});

describe.skipIf(!hasRedis)('an import of what BGSAVE wrote', () => {
  it('brings all strings of a database, byte by byte, and names what it leaves out', async () => {
    await client.namespaces.create('from-rdb');
    const folder = mkdtempSync(join(tmpdir(), 'meridian-rdb-'));
    const redis = await startRedis(['--dir', folder]);
    const source = await RespClient.connect(redis.port);
    const values = new Map<string, string>();
    const set = async (key: string, value: string, ...rest: string[]) => {
      values.set(key, value);
      await source.ask('SET', key, value, ...rest);
    };
    try {
      for (const value of [
        '',
        '0',
        '-1',
        '127',
        '-128',
        '128',
        '-32768',
        '65536',
        '-2147483648',
        '2147483648',
        '1.5',
      ]) {
        await set(`n:${value}`, value);
      }
      // Compressible and not, around the lengths where Redis writes them in another way.
      for (const length of [1, 20, 21, 63, 64, 16_383, 16_384, 300_000]) {
        await set(`same:${length}`, 'ä'.repeat(length));
        await set(`text:${length}`, 'lorem ipsum dolor '.repeat(length).slice(0, length));
        await set(`random:${length}`, randomBytes(length).toString('hex'));
      }
      await set('lives', 'an hour', 'EX', '3600');
      for (let n = 0; n < 600; n++) {
        await source.ask('RPUSH', 'list', `${n} ${'x'.repeat(n)}`);
        await source.ask('HSET', 'hash', `field ${n}`, 'x'.repeat(n));
        await source.ask('SADD', 'set', `member ${n}`);
        await source.ask('ZADD', 'zset', `${n}.25`, `member ${n}`);
        await source.ask('XADD', 'stream', '*', `field ${n}`, 'v');
      }
      for (const [key, ...words] of [
        ['small list', 'RPUSH'],
        ['small set', 'SADD'],
        ['ints', 'SADD', '7'],
      ]) {
        await source.ask(words[0] ?? '', key ?? '', words[1] ?? 'a');
      }
      await source.ask('XGROUP', 'CREATE', 'stream', 'group', '0');
      await source.ask('XREADGROUP', 'GROUP', 'group', 'one', 'COUNT', '20', 'STREAMS', 'stream', '>');
      await source.ask('SELECT', '5');
      await source.ask('SET', 'elsewhere', '1');
      await source.ask('BGSAVE');
      const saved = join(folder, 'dump.rdb');
      await expect.poll(() => existsSync(saved), { timeout: 20_000 }).toBe(true);
      const imported = await meridian('import', 'from-rdb', saved);
      expect([imported.code, imported.stdout]).toEqual([0, `${values.size} records imported\n`]);
      for (const part of ['2 keys of type list', '3 keys of type set', '1 keys of type hash', '1 keys of type zset'])
        expect(imported.stderr).toContain(part);
      expect(imported.stderr).toContain('1 keys of type stream');
      expect(imported.stderr).toContain('1 keys in database 5');
      const found = new Map<string, string>();
      for await (const { name, value } of client.namespace('from-rdb').entries()) {
        found.set(name, Buffer.from(value).toString());
      }
      expect(found).toEqual(values);
      const { keys } = await client.namespace('from-rdb').list({ prefix: 'lives' });
      expect(Math.abs((keys[0]?.expiration ?? 0) - Date.now() / 1000 - 3600)).toBeLessThan(120);
      expect((await meridian('diff', 'from-rdb', saved)).code).toBe(0);
    } finally {
      source.socket.destroy();
      await redis.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

interface RunningEtcd {
  readonly place: string;
  readonly folder: string;
  etcdctl(words: readonly string[], input?: string): { status: number | null; stdout: string; stderr: string };
  close(): Promise<void>;
}

async function startEtcd(): Promise<RunningEtcd> {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-etcd-'));
  const place = `127.0.0.1:${await freePort()}`;
  const [at, peer] = [`http://${place}`, `http://127.0.0.1:${await freePort()}`];
  const flags = ['--listen-client-urls', at, '--advertise-client-urls', at, '--listen-peer-urls', peer];
  const cluster = ['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`];
  const server = spawn('etcd', ['--data-dir', folder, ...flags, ...cluster], { stdio: 'ignore' });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const env = { ...process.env, ETCDCTL_API: '3' };
  const etcdctl = (words: readonly string[], input = '') =>
    spawnSync('etcdctl', ['--endpoints', at, ...words], { encoding: 'utf8', env, input, timeout: 20_000 });
  const close = async () => {
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  await vi.waitFor(() => assert.equal(etcdctl(['endpoint', 'health']).status, 0), { timeout: 60_000, interval: 200 });
  return { place, folder, etcdctl, close };
}

describe.skipIf(!hasEtcd)('an import from etcd', () => {
  let etcd: RunningEtcd;

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterAll(() => etcd.close());

  it('takes what etcdctl prints', async () => {
    await client.namespaces.create('from-etcd');
    for (let n = 0; n < 20; n++) etcd.etcdctl(['put', `/registry/${n}`], `value ${n}\nof two lines`);
    etcd.etcdctl(['put', 'ключ', 'значение']);
    const file = join(etcd.folder, 'etcd.json');
    writeFileSync(file, etcd.etcdctl(['get', '', '--prefix', '-w', 'json']).stdout);
    const imported = await meridian('import', 'from-etcd', file, '--format', 'etcd');
    expect(imported).toEqual({ code: 0, stdout: '21 records imported\n', stderr: '' });
    const ns = client.namespace('from-etcd');
    expect(await ns.get('/registry/19')).toBe('value 19\nof two lines');
    expect(await ns.get('ключ')).toBe('значение');
  });

  it('asks one that runs, page after page, with the end of leases, of all or of a prefix', async () => {
    await client.namespaces.create('from-live-etcd');
    const lease = /lease ([0-9a-f]+) granted/.exec(etcd.etcdctl(['lease', 'grant', '3600']).stdout)?.[1] ?? '';
    etcd.etcdctl(['put', 'leased', 'for an hour', '--lease', lease]);
    // More than one page, by their number and by their size.
    const puts = Array.from({ length: 300 }, (_, n) => `put p/${n} ${n % 30 === 0 ? 'x'.repeat(400_000) : n}`);
    for (let n = 0; n < 300; n += 100)
      etcd.etcdctl(
        ['txn'],
        `\n${puts
          .slice(n, n + 100)
          .map(short)
          .join('\n')}\n\n\n`,
      );
    for (const put of puts.filter((one) => one.length > 1000)) {
      const [, key = '', value = ''] = put.split(' ');
      etcd.etcdctl(['put', key], value);
    }
    const before = Math.floor(Date.now() / 1000);
    const imported = await meridian('import', 'from-live-etcd', `etcd://${etcd.place}`);
    expect(imported).toEqual({ code: 0, stdout: '322 records imported\n', stderr: '' });
    const ns = client.namespace('from-live-etcd');
    expect(await ns.get('p/299')).toBe('299');
    expect(await ns.get('p/270')).toBe('x'.repeat(400_000));
    const { keys } = await ns.list({ prefix: 'leased' });
    expect(keys[0]?.expiration).toBeGreaterThan(before + 3300);
    expect(keys[0]?.expiration).toBeLessThanOrEqual(before + 3720);
    await client.namespaces.create('of-a-prefix');
    const some = await meridian('import', 'of-a-prefix', `etcd://${etcd.place}/%2Fregistry`);
    expect(some.stdout).toBe('20 records imported\n');
  });

  it('says what etcd refuses, that it is not there, and what an address must be', async () => {
    const refused = await meridian('import', 'from-etcd', `etcd://root:wrong@${etcd.place}`);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('says: ')]);
    const away = await meridian('import', 'from-etcd', 'etcd://127.0.0.1:1');
    expect([away.code, away.stderr]).toEqual([1, expect.stringContaining('etcd at 127.0.0.1:1 is not reached')]);
    expect((await meridian('import', 'from-etcd', 'etcd://')).code).toBe(2);
    expect((await meridian('import', 'from-etcd', `etcd://${etcd.place}`, '--format', 'csv')).code).toBe(2);
    for (const words of [
      ['user', 'add', 'root:secret'],
      ['user', 'grant-role', 'root', 'root'],
      ['auth', 'enable'],
    ]) {
      etcd.etcdctl(words);
    }
    const denied = await meridian('import', 'from-etcd', `etcd://${etcd.place}`);
    expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining('user name is empty')]);
    await client.namespaces.create('by-password');
    const allowed = await meridian('import', 'by-password', `etcd://root:secret@${etcd.place}/%2Fregistry`);
    expect(allowed).toMatchObject({ code: 0, stdout: '20 records imported\n' });
  });
});

/** A transaction has no room for large values: they are put after it. */
function short(put: string): string {
  return put.replace(/x{9,}$/, 'x');
}
