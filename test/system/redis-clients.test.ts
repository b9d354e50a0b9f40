import { Redis, type RedisOptions } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { metric, ProcessCluster, placeOf } from './process-cluster.ts';

/** Of a machine that does much else. */
const patient = { timeout: 30_000 };
const cluster = new ProcessCluster();
let origin: ChildNode;
let edge: ChildNode;
const closing: Array<() => unknown> = [];

beforeAll(async () => {
  origin = await cluster.start('origin', 'iad', { flags: ['--redis', '127.0.0.1:0'] });
  const flags = [
    '--upstream',
    placeOf(origin.grpc),
    '--redis',
    '127.0.0.1:0',
    '--redis-database',
    '0=flags',
    '2=config',
  ];
  edge = await cluster.start('edge', 'fra', { flags });
  for (const title of ['flags', 'config']) await cluster.connect(origin).namespaces.create(title);
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
  await cluster.close();
});

function urlOf({ redis }: ChildNode, namespace?: string): string {
  return `redis://${namespace === undefined ? '' : `${namespace}:x@`}${redis === undefined ? '' : placeOf(redis)}`;
}

function ioredis(url: string, options: RedisOptions = {}): Redis {
  const client = new Redis(url, { ...options, maxRetriesPerRequest: 1 });
  client.on('error', () => {});
  closing.push(() => client.disconnect());
  return client;
}

describe.each(['origin', 'edge'] as const)('ioredis at an %s', (role) => {
  const url = () => urlOf(role === 'origin' ? origin : edge, 'flags');

  it('does what an application does', async () => {
    const client = ioredis(url(), { enableAutoPipelining: true });
    expect(await client.set('user:1', 'ada', 'EX', 100)).toBe('OK');
    expect(await client.get('user:1')).toBe('ada');
    expect(await client.ttl('user:1')).toBeGreaterThan(0);
    expect(await client.set('user:1', 'bob', 'NX')).toBeNull();
    expect(await client.set('user:1', 'bob', 'EX', 100, 'GET')).toBe('ada');
    expect(await client.mget('user:1', 'user:2')).toEqual(['bob', null]);
    expect(await client.persist('user:1')).toBe(1);
    const bytes = Buffer.from([0, 255, 128, 10]);
    await client.set('bytes', bytes);
    expect(await client.getBuffer('bytes')).toEqual(bytes);
    const many = Array.from({ length: 300 }, (_, n) => `many:${n}`);
    await Promise.all(many.map((key) => client.set(key, key)));
    expect(await Promise.all(many.map((key) => client.get(key)))).toEqual(many);
    const found: string[] = [];
    for await (const keys of client.scanStream({ match: 'many:*', count: 100 })) found.push(...(keys as string[]));
    expect(found.sort()).toEqual([...many].sort());
    expect(await client.del(...many, 'bytes', 'user:1')).toBe(302);
    await expect(client.call('LPUSH', 'a', 'b')).rejects.toThrow("ERR unknown command 'LPUSH'");
    const results = await client.pipeline().set('p', '1').get('p').del('p').exec();
    expect(results).toEqual([
      [null, 'OK'],
      [null, '1'],
      [null, 1],
    ]);
  });
});

describe.each([2, 3] as const)('node-redis at an edge, in RESP%i', (RESP) => {
  it('does what an application does', async () => {
    const client = createClient({ url: urlOf(edge, 'flags'), RESP });
    client.on('error', () => {});
    await client.connect();
    closing.push(() => client.destroy());
    await client.set('user:1', 'ada', { expiration: { type: 'EX', value: 100 } });
    expect(await client.get('user:1')).toBe('ada');
    expect(await client.set('user:1', 'bob', { condition: 'NX' })).toBeNull();
    expect(await client.getEx('user:1', { type: 'PERSIST' })).toBe('ada');
    expect(await client.ttl('user:1')).toBe(-1);
    expect(await client.expireAt('user:1', 4_000_000_000)).toBe(1);
    expect(await client.expireTime('user:1')).toBe(4_000_000_000);
    expect(await client.mGet(['user:1', 'none'])).toEqual(['ada', null]);
    expect(await client.mSet({ 's:1': 'a', 's:2': 'b' })).toBe('OK');
    const found: string[] = [];
    for await (const keys of client.scanIterator({ MATCH: 's:*' })) found.push(...keys);
    expect(found.sort()).toEqual(['s:1', 's:2']);
    expect(await client.exists(['s:1', 's:2'])).toBe(2);
    expect(await client.unlink(['s:1', 's:2', 'user:1'])).toBe(3);
    expect(await client.sendCommand(['MERIDIAN.GET', 'none'])).toEqual([
      null,
      null,
      expect.any(String),
      expect.anything(),
    ]);
  });
});

describe('databases', () => {
  it('are namespaces, begun with in 0 and chosen by SELECT', async () => {
    const [first, third] = [ioredis(urlOf(edge)), ioredis(`${urlOf(edge)}/2`)];
    await first.set('where', 'flags');
    await third.set('where', 'config');
    expect([await first.get('where'), await third.get('where')]).toEqual(['flags', 'config']);
    const named = ioredis(urlOf(origin, 'config'));
    await expect.poll(() => named.get('where'), patient).toBe('config');
  });
});

describe('a node', () => {
  it('counts what it answers, and reads and writes with all others', async () => {
    const client = ioredis(urlOf(edge, 'flags'));
    const before = (await metric(edge, 'meridian_redis_commands_total{command="get",outcome="ok"}')) ?? 0;
    await client.get('counted');
    await client.call('NOPE').catch(() => {});
    expect(await metric(edge, 'meridian_redis_commands_total{command="get",outcome="ok"}')).toBe(before + 1);
    expect(await metric(edge, 'meridian_redis_rejected_total{reason="unknown-command"}')).toBeGreaterThan(0);
    expect(await metric(edge, 'meridian_redis_connections')).toBeGreaterThan(0);
    expect(await metric(edge, 'meridian_writes_total{outcome="ok"}')).toBeGreaterThan(0);
  });

  it('says that it does not know, and that what it has is stale, once its origin is gone', async () => {
    const lone = await cluster.start('origin', 'lone');
    const at = cluster.connect(lone);
    await at.namespaces.create('flags');
    await at.namespace('flags').put('held', 'v');
    const flags = ['--upstream', placeOf(lone.grpc), '--redis', '127.0.0.1:0', '--request-timeout', '2s'];
    const cut = await cluster.start('edge', 'cut', { flags: [...flags, '--replicate', 'flags/held*'] });
    const client = ioredis(urlOf(cut, 'flags'));
    const sourceOf = async () => ((await client.call('MERIDIAN.GET', 'held')) as unknown[])[2];
    await expect.poll(sourceOf, patient).toBe('copy');
    expect(await client.call('MERIDIAN.MAXAGE', '100')).toBe('OK');
    await lone.kill();
    await expect.poll(() => client.get('held').catch(String), patient).toMatch(/STALE/);
    expect(await client.get('absent').catch(String)).toMatch(/UNAVAILABLE/);
    expect(await client.call('MERIDIAN.MAXAGE', '3600000')).toBe('OK');
    expect(await client.get('held')).toBe('v');
    const [value, , source, bound] = (await client.call('MERIDIAN.GET', 'held', 'MAXAGE', '3600000')) as unknown[];
    expect([value, source]).toEqual(['v', 'copy']);
    expect(bound).toBeGreaterThan(100);
    expect(await client.set('held', 'w').catch(String)).toMatch(/UNAVAILABLE|TIMEOUT/);
    expect(await cut.stop()).toBe(0);
  });
});
