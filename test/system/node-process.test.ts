import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { meridianScript, ProcessCluster, placeOf } from './process-cluster.ts';

const anyPorts = ['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'];

describe('nodes as processes', () => {
  let cluster: ProcessCluster;
  const log = () => readFileSync(join(cluster.folder, 'iad.log'), 'utf8');

  beforeEach(() => {
    cluster = new ProcessCluster();
  });

  afterEach(async () => {
    await cluster.close();
  });

  it('lose no acknowledged write to kill -9 while writes are under way', async () => {
    const origin = await cluster.start('origin', 'iad');
    const client = cluster.connect(origin);
    await client.namespaces.create('kept');
    const acknowledged: string[] = [];
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; ; i++) {
        const key = `${writer}-${i}`;
        await client.namespace('kept').put(key, `value of ${key}`);
        acknowledged.push(key);
        if (acknowledged.length === 300) void origin.kill();
      }
    });
    await Promise.allSettled(writers);
    expect(acknowledged.length).toBeGreaterThanOrEqual(300);

    const again = cluster.connect(await cluster.start('origin', 'iad'));
    const lost: string[] = [];
    for (const key of acknowledged) {
      if ((await again.namespace('kept').get(key)) !== `value of ${key}`) lost.push(key);
    }
    expect(lost).toEqual([]);
  });

  it('answer from a copy and from a restarted cache while the origin is away', async () => {
    const origin = await cluster.start('origin', 'iad');
    const writer = cluster.connect(origin);
    for (const title of ['copied', 'cached']) {
      await writer.namespaces.create(title);
      await writer.namespace(title).put('key', `in ${title}`);
    }
    const flags = ['--upstream', placeOf(origin.grpc), '--replicate', 'copied'];
    const edge = await cluster.start('edge', 'fra', { flags });
    const reader = cluster.connect(edge);
    const sourceOf = (title: string) =>
      reader
        .namespace(title)
        .getWithMetadata('key')
        .then(({ source }) => source)
        .catch(() => 'none');
    // The copy first: once its title has become known the cache is opened anew for all the rest, and what it held till
    // then is gone. And what was loaded before a cache had caught up is passed on but not kept.
    await expect.poll(() => sourceOf('copied'), { timeout: 60_000 }).toBe('copy');
    await expect.poll(() => sourceOf('cached'), { timeout: 60_000 }).toBe('cache');

    await origin.kill();
    await edge.stop();
    const later = cluster.connect(await cluster.start('edge', 'fra', { flags }));
    const copied = await later.namespace('copied').getWithMetadata('key');
    expect([copied.value, copied.source, copied.staleness]).toEqual(['in copied', 'copy', null]);
    const cached = await later.namespace('cached').getWithMetadata('key');
    expect([cached.value, cached.source, cached.staleness]).toEqual(['in cached', 'cache', null]);
  });

  it('hold all that the origin holds after kill -9 of the edge while writes arrive, and no value that was replaced', async () => {
    const origin = await cluster.start('origin', 'iad');
    const writer = cluster.connect(origin);
    for (const title of ['copied', 'cached']) await writer.namespaces.create(title);
    const flags = ['--upstream', placeOf(origin.grpc), '--replicate', 'copied', '--feed-values', 'none'];
    const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`);
    const write = async (round: number) => {
      for (const title of ['copied', 'cached']) {
        await Promise.all(keys.map((key) => writer.namespace(title).put(key, `${key} in round ${round}`)));
      }
    };
    await write(0);
    for (let round = 1; round <= 4; round++) {
      const edge = await cluster.start('edge', 'fra', { flags });
      const reader = cluster.connect(edge);
      await Promise.all(keys.map((key) => reader.namespace('cached').get(key)));
      const writing = write(round);
      await reader.namespace('copied').get('key 0');
      await edge.kill();
      await writing;
    }
    const reader = cluster.connect(await cluster.start('edge', 'fra', { flags }));
    for (const title of ['copied', 'cached']) {
      const values = () => reader.namespace(title).get(keys, { maxStaleness: 30 });
      const wanted = new Map(keys.map((key) => [key, `${key} in round 4`]));
      await expect.poll(values, { timeout: 60_000 }).toEqual(wanted);
    }
  });

  it('say over HTTP that they are alive and ready, and what they measure', async () => {
    const { http } = await cluster.start('origin', 'iad');
    const base = `http://${placeOf(http)}`;
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${base}/metrics`)).text()).toContain('meridian_ready{role="origin"} 1');
    expect(await (await fetch(`${base}/status`)).json()).toMatchObject({ name: 'iad', role: 'origin' });
  });

  it('go on after garbage on the gRPC port', async () => {
    const origin = await cluster.start('origin', 'iad');
    const { grpc } = origin;
    await new Promise<void>((done) => {
      const socket = connectSocket(grpc.port, grpc.host, () => socket.end('GET / HTTP/1.1\r\n\r\n\u0000garbage'));
      socket.on('error', () => {});
      socket.on('data', () => {});
      socket.once('close', () => done());
    });
    expect(await cluster.connect(origin).namespaces.list()).toEqual([]);
  });

  it('refuse a folder or an address that another process holds, and one that others reach, each in one line', async () => {
    const { grpc } = await cluster.start('origin', 'iad');
    const listen = ['--listen', placeOf(grpc), '--http', '127.0.0.1:0'];
    const taken = spawnSync(
      process.execPath,
      [meridianScript, 'origin', '--data', join(cluster.folder, 'y'), ...listen],
      { encoding: 'utf8' },
    );
    expect(taken.status).toBe(1);
    expect(taken.stderr.trim().split('\n')).toEqual([expect.stringMatching(/UNAVAILABLE: cannot listen on/)]);
    const second = spawnSync(
      process.execPath,
      [meridianScript, 'origin', '--data', join(cluster.folder, 'iad'), ...anyPorts],
      {
        encoding: 'utf8',
      },
    );
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/UNAVAILABLE/);
    const open = spawnSync(
      process.execPath,
      [meridianScript, 'origin', '--data', join(cluster.folder, 'x'), '--listen', '0.0.0.0:0'],
      {
        encoding: 'utf8',
      },
    );
    expect(open.status).toBe(2);
    expect(open.stderr).toMatch(/--insecure/);
  });

  it('refuse the data folder of the other role, in one line, also while a node runs there', async () => {
    await cluster.start('origin', 'iad');
    const flags = ['--data', join(cluster.folder, 'iad'), '--upstream', '127.0.0.1:1', ...anyPorts];
    const edge = spawnSync(process.execPath, [meridianScript, 'edge', ...flags], { encoding: 'utf8' });
    expect(edge.status).toBe(2);
    expect(edge.stderr.trim().split('\n')).toEqual([expect.stringMatching(/iad is the folder of an origin; an edge/)]);
    expect(readdirSync(join(cluster.folder, 'iad')).sort()).toEqual(['meridian-role', 'store']);
  });

  it('end at SIGHUP as at SIGTERM: drained, closed, and with exit code 0', async () => {
    const origin = await cluster.start('origin', 'iad');
    expect(await origin.stop('SIGHUP')).toBe(0);
    // Its last words may come to the file a moment after its end.
    await expect.poll(log).toContain('"message":"stopped"');
  });

  it('log with their name, and warn of a variable that no option knows', async () => {
    await cluster.start('origin', 'iad', { env: { MERIDIAN_PEERS: 'x:1', MERIDIAN_INSECURE: '1' } });
    await expect.poll(log).toContain('"message":"serving"');
    const lines = log()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ level: 'warn', node: 'iad', variable: 'MERIDIAN_PEERS' });
    expect(lines.every(({ node }) => node === 'iad')).toBe(true);
  });

  it('end at SIGTERM with everything on disk', async () => {
    const origin = await cluster.start('origin', 'iad');
    const client = cluster.connect(origin);
    await client.namespaces.create('kept');
    await client.namespace('kept').put('key', 'value');
    await origin.stop();
    const again = cluster.connect(await cluster.start('origin', 'iad'));
    expect(await again.namespace('kept').get('key')).toBe('value');
  });
});
