import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../../src/client/cluster-handle.ts';
import { RespClient } from '../../resp/served.ts';
import { freePort, meridianScript, ProcessCluster, placeOf } from '../process-cluster.ts';
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

describe.skipIf(!hasEtcd)('an import from etcd', () => {
  it('takes what etcdctl prints', async () => {
    await client.namespaces.create('from-etcd');
    const folder = mkdtempSync(join(tmpdir(), 'meridian-etcd-'));
    const [at, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    const flags = ['--listen-client-urls', at, '--advertise-client-urls', at, '--listen-peer-urls', peer];
    const cluster = ['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`];
    const server = spawn('etcd', ['--data-dir', folder, ...flags, ...cluster], { stdio: 'ignore' });
    const ended = new Promise((resolve) => server.once('exit', resolve));
    const env = { ...process.env, ETCDCTL_API: '3' };
    const etcdctl = (words: readonly string[], input = '') =>
      spawnSync('etcdctl', ['--endpoints', at, ...words], { encoding: 'utf8', env, input, timeout: 20_000 });
    try {
      await expect.poll(() => etcdctl(['endpoint', 'health']).status, { timeout: 60_000 }).toBe(0);
      for (let n = 0; n < 20; n++) etcdctl(['put', `/registry/${n}`], `value ${n}\nof two lines`);
      etcdctl(['put', 'ключ', 'значение']);
      const file = join(folder, 'etcd.json');
      writeFileSync(file, etcdctl(['get', '', '--prefix', '-w', 'json']).stdout);
      const imported = await meridian('import', 'from-etcd', file, '--format', 'etcd');
      expect(imported).toEqual({ code: 0, stdout: '21 records imported\n', stderr: '' });
      const ns = client.namespace('from-etcd');
      expect(await ns.get('/registry/19')).toBe('value 19\nof two lines');
      expect(await ns.get('ключ')).toBe('значение');
    } finally {
      server.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
