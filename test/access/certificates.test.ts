import { request } from 'node:https';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rightsOfCertificate } from '../../src/access/certificate-names.ts';
import { Gate } from '../../src/access/gate.ts';
import type { CreateTokenOptions } from '../../src/client/token-admin.ts';
import { emptySession } from '../../src/model/session.ts';
import { rights } from '../../src/model/token.ts';
import type { RunningNode } from '../../src/node/running-node.ts';
import { understoodCertificate } from '../../src/runtime/peer-certificate.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, upstreamWith } from '../rpc/loopback.ts';
import { TlsCluster } from './tls-cluster.ts';

const adminToken = 'the-administrator-of-the-tests';
const scope = { namespace: '*', prefix: '', rights: ['read'] } as const;

describe('the names of a certificate', () => {
  const validTo = { valid_to: 'Jan  1 00:00:00 2030 GMT' };
  const namesOf = (subjectaltname: string, CN?: string) => {
    const subject = (CN === undefined ? {} : { CN }) as never;
    return understoodCertificate({ ...validTo, subject, subjectaltname })?.names;
  };

  it('are its common name, and its alternative names that are hosts or URIs', () => {
    expect(namesOf('DNS:a.example.org, IP Address:10.0.0.1, URI:spiffe://x/edge', 'a')).toEqual([
      ...['a', 'a.example.org', 'spiffe://x/edge'],
    ]);
    expect(namesOf('', 'a')).toEqual(['a']);
    expect(namesOf('DNS:a')).toEqual(['a']);
    expect(understoodCertificate({})).toBeUndefined();
    expect(understoodCertificate(undefined)).toBeUndefined();
  });

  it('are no more where one holds what looks like another', () => {
    expect(namesOf('URI:"http://a.example.org/\\u002c DNS:admin", DNS:b')).toEqual([
      ...['http://a.example.org/, DNS:admin', 'b'],
    ]);
    expect(namesOf('email:"x\\u002c DNS:admin", DNS:b')).toEqual(['b']);
    expect(namesOf('DirName:"CN = x, DNS:admin"')).toEqual([]);
  });

  it('are matched whole, a star standing for no dot or slash, and the first line counts', () => {
    const lines = ['edge-*.example.org', 'spiffe://x/edges/*', 'app', '*'].map((name) => ({ name, scope }));
    const matched = (...names: string[]) => rightsOfCertificate(lines, { names })?.name;
    expect(matched('edge-fra.example.org')).toBe('edge-*.example.org');
    expect(matched('spiffe://x/edges/fra')).toBe('spiffe://x/edges/*');
    expect(matched('other', 'app')).toBe('app');
    expect(matched('other')).toBe('*');
    for (const name of ['edge-.example.org', 'edge-a.b.example.org', 'spiffe://x/edges/a/b', 'x.edge-a.example.org']) {
      expect(matched(name), name).toBeUndefined();
    }
    expect(matched()).toBeUndefined();
  });

  it('permit nothing once the certificate is over, on a connection that outlasts it', async () => {
    let laterMs = 0;
    const clock = { ...systemClock, wallMs: () => 1000 + laterMs };
    const upstream = upstreamWith({ get: async () => ({ record: undefined }) as never });
    const source = { knowsTokens: () => true, token: () => undefined, namespace: () => undefined };
    const gate = new Gate({
      upstream,
      source,
      clock,
      adminHash: () => undefined,
      certificates: [{ name: 'a', scope }],
    });
    const entered = gate.enter({ address: '', certificate: () => ({ names: ['a'], validToMs: 2000 }) });
    const get = () => entered.get({ namespace: 'n', key: 'k', session: emptySession }, aCall());
    await get();
    laterMs = 1000;
    await expect(get()).rejects.toMatchObject({ code: 'UNAUTHENTICATED', message: 'the certificate has expired' });
  });
});

describe('a cluster whose nodes know each other by their certificates', () => {
  const cluster = new TlsCluster();
  let origin: RunningNode;
  let edge: RunningNode;
  const certificates = [
    'edge-*=replicate',
    `ops=${rights.join('+')}`,
    'app.example.org=read+write+list@shop-*/app/*',
    'reader=read',
  ];
  const flags = { 'certificate-rights': certificates };

  beforeAll(async () => {
    const admin = { ...flags, 'admin-token-file': cluster.file('admin', adminToken) };
    origin = await cluster.start('origin', 'iad', admin);
    edge = await cluster.start('edge', 'edge-fra', { ...flags, upstream: [origin.grpcAddress] });
    const ops = cluster.connect(origin, 'ops');
    for (const title of ['shop-a', 'other']) await ops.namespaces.create(title);
    await ops.namespace('shop-a').put('app/1', 'one');
    await ops.namespace('other').put('app/1', 'hidden');
    await vi.waitUntil(() => edge.ready(), 20_000);
  });

  afterAll(() => cluster.close());

  it('lets an edge follow and load without any token, and a reader read at it', async () => {
    const reader = cluster.connect(edge, 'reader').namespace('shop-a');
    expect(await reader.get('app/1')).toBe('one');
    await cluster.connect(origin, 'ops').namespace('shop-a').put('app/1', 'two');
    await expect.poll(() => reader.get('app/1', { maxStaleness: 0 })).toBe('two');
  });

  it('permits what the mapping says and no more, over gRPC and HTTP', async () => {
    const app = cluster.connect(origin, 'app.example.org');
    await app.namespace('shop-a').put('app/mine', 'v');
    expect(await app.namespace('shop-a').get('app/mine')).toBe('v');
    const denied = { code: 'PERMISSION_DENIED', message: expect.stringContaining('certificate of app.example.org') };
    await expect(app.namespace('shop-a').put('ap', 'v')).rejects.toMatchObject(denied);
    await expect(app.namespace('other').get('app/1')).rejects.toMatchObject(denied);
    await expect(app.namespaces.create('shop-b')).rejects.toMatchObject(denied);
    const status = (name: string, headers = {}) => {
      return new Promise<number | undefined>((resolve, reject) => {
        const [host, port] = origin.httpAddress.split(':');
        const asked = { host, port, path: '/app%2F1?urlencoded=true', ...cluster.tlsOf(name) };
        request({ ...asked, headers: { 'meridian-namespace': 'shop-a', ...headers } }, (answer) => {
          resolve(answer.statusCode);
          answer.destroy();
        })
          .on('error', reject)
          .end();
      });
    };
    expect(await status('app.example.org')).toBe(200);
    expect(await status('edge-fra', {})).toBe(200);
    expect(await status('nobody')).toBe(401);
    expect(await status('ops', { authorization: 'Bearer wrong' })).toBe(401);
  });

  it('knows no certificate of its CA that is not mapped, and takes a token in place of a certificate', async () => {
    const nobody = cluster.connect(origin, 'nobody').namespace('shop-a');
    await expect(nobody.get('app/1')).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      details: { reason: 'certificate-not-known' },
    });
    expect(await cluster.connect(origin, 'nobody', { token: adminToken }).namespace('shop-a').get('app/1')).toBe('two');
    const wrong = cluster.connect(origin, 'ops', { token: 'wrong' }).namespace('shop-a');
    await expect(wrong.get('app/1')).rejects.toMatchObject({ details: { reason: 'token-not-valid' } });
  });

  it('asks no other node in the name of a certificate, and does so by token', async () => {
    const passedOn = { code: 'PERMISSION_DENIED', details: { reason: 'certificate-not-passed-on' } };
    const ops = cluster.connect(edge, 'ops');
    await expect(ops.namespace('shop-a').put('app/1', 'v')).rejects.toMatchObject(passedOn);
    await expect(ops.namespaces.create('shop-c')).rejects.toMatchObject(passedOn);
    await expect(ops.tokens.create({ name: 'x', rights: ['read'] })).rejects.toMatchObject(passedOn);
    await expect(ops.tokens.list()).rejects.toMatchObject(passedOn);
    const { text } = await cluster.connect(origin, 'ops').tokens.create({ name: 'writer', rights: ['write'] });
    const byToken = cluster.connect(edge, 'ops', { token: text }).namespace('shop-a');
    await vi.waitFor(() => byToken.put('app/edge', 'v'), 10_000);
  });

  it('shows hot keys to whoever may read or list them, and to nobody else', async () => {
    const ops = cluster.connect(origin, 'ops');
    for (let i = 0; i < 50; i++) for (const title of ['shop-a', 'other']) await ops.namespace(title).get('app/1');
    const { tokens } = ops;
    const shown = async (token: string) => {
      const { hotKeys = [] } = await cluster.connect(origin, 'nobody', { token }).status();
      return hotKeys.map(({ title, key }) => `${title} ${key}`).sort();
    };
    expect(await shown(adminToken)).toEqual(expect.arrayContaining(['other app/1', 'shop-a app/1']));
    const issue = async (name: string, options: Omit<CreateTokenOptions, 'name'>) => {
      return (await tokens.create({ name, ...options })).text;
    };
    const some = await issue('some', { namespace: 'shop-*', rights: ['status', 'read'] });
    expect(await shown(some)).toContain('shop-a app/1');
    expect((await shown(some)).filter((name) => !name.startsWith('shop-a '))).toEqual([]);
    const lister = { namespace: 'shop-*', prefix: 'elsewhere/', rights: ['status', 'list'] } as const;
    expect(await shown(await issue('lister', lister))).toEqual([]);
    expect(await shown(await issue('watcher', { rights: ['status', 'admin', 'replicate', 'write', 'watch'] }))).toEqual(
      [],
    );
    await expect(shown(await issue('reader', { rights: ['read'] }))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });

  it('serves a Redis client over TLS by its token, or by its certificate', async () => {
    const { tokens } = cluster.connect(origin, 'ops');
    const scoped = { namespace: 'shop-a', prefix: 'app/', rights: ['read', 'write'] } as const;
    const { text } = await tokens.create({ name: 'redis', ...scoped });
    const redis = (node: RunningNode, name: string, password: string) => {
      const [host, port] = (node.redisAddress ?? '').split(':');
      const client = new Redis({
        ...{ host: host ?? '', port: Number(port), tls: cluster.tlsOf(name), username: 'shop-a', password },
        ...{ retryStrategy: () => null, maxRetriesPerRequest: 0, lazyConnect: true, enableReadyCheck: false },
      });
      client.on('error', () => {});
      cluster.onClose(() => client.disconnect());
      return client;
    };
    const byToken = redis(origin, 'nobody', text);
    expect(await byToken.set('app/r', 'by token')).toBe('OK');
    expect(await byToken.get('app/r')).toBe('by token');
    await expect(byToken.get('other')).rejects.toThrow(/NOPERM/);
    const atEdge = redis(edge, 'nobody', text);
    await expect.poll(() => atEdge.get('app/r').catch(() => undefined)).toBe('by token');
    await expect(redis(origin, 'nobody', 'wrong').get('app/r')).rejects.toThrow(/WRONGPASS|NOAUTH/);
    const { host, port } = byToken.options;
    const byCertificate = new Redis({ host, port, tls: cluster.tlsOf('reader'), lazyConnect: true } as object);
    byCertificate.on('error', () => {});
    cluster.onClose(() => byCertificate.disconnect());
    await byCertificate.call('AUTH', 'shop-a', '');
    expect(await byCertificate.get('app/r')).toBe('by token');
    await expect(byCertificate.set('app/r', 'v')).rejects.toThrow(/NOPERM/);
  });
});
