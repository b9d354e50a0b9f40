import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { S3Server } from '../backup/s3-server.ts';
import { freePort } from '../support/free-port.ts';
import { meridianScript, ProcessCluster, placeOf } from './process-cluster.ts';

const proven = { maxStaleness: 1 };

describe('a backup', () => {
  let cluster: ProcessCluster;
  let backups: string;

  beforeEach(() => {
    cluster = new ProcessCluster();
    backups = join(cluster.folder, 'backups');
  });

  afterEach(() => cluster.close());

  /** What the command printed. */
  async function meridian(...words: string[]): Promise<string> {
    const child = spawn(process.execPath, [meridianScript, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, notes] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      notes += chunk.toString();
    });
    const [exitCode] = await once(child, 'close');
    if (exitCode !== 0) throw new Error(`meridian ${words.join(' ')} ended with ${exitCode}: ${notes}`);
    return output;
  }

  async function untilShows(client: ClusterHandle, key: string, value: string | null): Promise<void> {
    const shown = () =>
      client
        .namespace('ns')
        .get(key, { type: 'text', ...proven })
        .catch(String);
    await expect.poll(shown, { timeout: 60_000, interval: 100 }).toBe(value);
  }

  it('taken under load is restored: what came later is gone at every edge and origin, all hold the same', async () => {
    const listen = `127.0.0.1:${await freePort()}`;
    const peerListen = `127.0.0.1:${await freePort()}`;
    const iad = await cluster.start('origin', 'iad', { listen });
    const fra = await cluster.start('origin', 'fra', { listen: peerListen, flags: ['--peer', listen] });
    const upstream = ['--upstream', listen];
    const copy = await cluster.start('edge', 'copy', {
      listen: `127.0.0.1:${await freePort()}`,
      flags: [...upstream, '--replicate', '*'],
    });
    const cache = await cluster.start('edge', 'cache', { flags: upstream });
    const [origin, peer, ...edges] = [iad, fra, copy, cache].map((node) => cluster.connect(node));
    if (origin === undefined || peer === undefined) throw new Error('there are four');
    await origin.namespaces.create('ns');
    const ns = origin.namespace('ns');
    for (let i = 0; i < 500; i++) await ns.put(`key${i}`, 'before');
    let loads = true;
    const load = (async () => {
      for (let i = 0; loads; i++) await ns.put(`load${i % 100}`, `${i}`);
    })();
    await meridian('backup', '--to', backups, '--endpoint', listen);
    await ns.put('key1', 'later');
    const kept = JSON.parse(await meridian('backup', '--to', backups, '--endpoint', listen, '--json')) as {
      taken: string;
    };
    loads = false;
    await load;
    await ns.put('key1', 'undone');
    await ns.put('new', 'undone', { durability: 'all' });
    await ns.delete('key2');
    await peer.namespace('ns').put('at fra', 'undone');
    for (const edge of edges) {
      await untilShows(edge, 'key1', 'undone');
      await untilShows(edge, 'at fra', 'undone');
    }
    expect(await meridian('backup', 'verify', '--from', backups)).toContain('ok');

    for (const node of [iad, fra]) await node.kill();
    const data = join(cluster.folder, 'restored');
    await meridian('restore', '--from', backups, '--data', data, '--at', kept.taken);
    await cluster.start('origin', 'iad', { listen, folder: 'restored' });
    for (const edge of edges) {
      await untilShows(edge, 'key1', 'later');
      await untilShows(edge, 'key2', 'before');
      await untilShows(edge, 'new', null);
      await untilShows(edge, 'at fra', null);
    }
    // Another origin of before comes back over its disk: it joins, and keeps apart what it has of what was undone.
    const flags = ['--peer', listen];
    await cluster.start('origin', 'fra', { listen: peerListen, folder: 'fra', flags });
    await expect
      .poll(() => readdirSync(join(cluster.folder, 'fra')).filter((name) => name.startsWith('kept-apart')).length, {
        timeout: 60_000,
      })
      .toBe(1);
    for (const at of [origin, peer, ...edges]) {
      await untilShows(at, 'key1', 'later');
      await untilShows(at, 'new', null);
      await untilShows(at, 'at fra', null);
    }
    const digests = async () => {
      const text = await meridian('status', '--digest', '--json', '--endpoint', listen);
      const found = [...text.matchAll(/"digest":"([0-9a-f]{64})"/g)].map(([, digest]) => digest);
      return { count: found.length, different: new Set(found).size };
    };
    await expect.poll(digests, { timeout: 60_000, interval: 500 }).toEqual({ count: 3, different: 1 });
  });

  it('is taken on a schedule until it is told to stop', async () => {
    const { grpc } = await cluster.start('origin', 'iad');
    const place = placeOf(grpc);
    const words = ['backup', '--to', backups, '--every', '200ms', '--keep', '1h', '--endpoint', place];
    const child = spawn(process.execPath, [meridianScript, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    let lines = '';
    child.stdout.on('data', (chunk: Buffer) => {
      lines += chunk.toString();
    });
    await expect.poll(() => lines.trim().split('\n').length, { timeout: 60_000 }).toBeGreaterThan(2);
    child.kill('SIGTERM');
    const [exitCode] = await once(child, 'close');
    expect(exitCode).toBe(0);
    const [first, second] = lines.trim().split('\n');
    expect(first).toMatch(/: whole, \d+ records in \d+ bytes, as of /);
    expect(second).toMatch(/: since /);
  });

  it('goes on with its schedule whatever the bucket answers, and says so; what is refused at first ends it', async () => {
    const bucket = new S3Server('kept', { id: 'i', secret: 's' });
    const endpoint = await bucket.start();
    const { grpc } = await cluster.start('origin', 'iad');
    const words = ['backup', '--to', 's3://kept', '--every', '200ms', '--retry', '0s', '--endpoint', placeOf(grpc)];
    const env = { ...process.env, AWS_ACCESS_KEY_ID: 'i', AWS_SECRET_ACCESS_KEY: 's', AWS_ENDPOINT_URL: endpoint };
    const schedule = () =>
      spawn(process.execPath, [meridianScript, ...words], { stdio: ['ignore', 'pipe', 'pipe'], env });
    bucket.faults = [[403, 'AccessDenied']];
    const [refusedWith] = await once(schedule(), 'close');
    expect(refusedWith).toBe(1);
    bucket.faults = [[503, 'SlowDown']];
    const child = schedule();
    let [taken, told] = [0, ''];
    child.stdout.on('data', () => taken++);
    child.stderr.on('data', (chunk: Buffer) => {
      told += chunk.toString();
    });
    await expect.poll(() => taken, { timeout: 60_000 }).toBeGreaterThan(0);
    bucket.faults = [
      [403, 'AccessDenied'],
      [403, 'AccessDenied'],
      [400, 'RequestTimeout'],
      'cut',
      [404, 'NoSuchBucket'],
    ];
    const before = taken;
    await expect.poll(() => taken, { timeout: 60_000 }).toBeGreaterThan(before + 1);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    await bucket.stop();
    expect(bucket.faults).toEqual([]);
    for (const answer of ['503 SlowDown', '403 AccessDenied', '400 RequestTimeout', 'terminated', '404 NoSuchBucket']) {
      expect(told).toMatch(new RegExp(`this backup failed, the schedule goes on: .*${answer}`));
    }
  });
});
