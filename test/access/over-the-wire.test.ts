import { Agent, get as httpGet } from 'node:http';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterHandle, connect } from '../../src/client/connect.ts';
import { HttpListener } from '../../src/http/http-listener.ts';
import { NodeRoutes } from '../../src/http/node-routes.ts';
import { BindingSurface } from '../../src/http/workers/binding-surface.ts';
import { RestSurface } from '../../src/http/workers/rest-surface.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Right } from '../../src/model/token.ts';
import { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { services } from '../../src/rpc/proto.ts';
import { RpcServer } from '../../src/rpc/server/rpc-server.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, roomsOf } from '../rpc/loopback.ts';
import { adminToken, type GuardedOrigin, openGuardedOrigin } from './guarded-origin.ts';

const session = emptySession;
const timing = { clock: systemClock, logger: silentLogger };

let guarded: GuardedOrigin;
let server: RpcServer;
let listener: HttpListener;
let address: string;
let base: string;
let namespace: string;
const rooms = roomsOf(64 * 1024 * 1024);
const remotes: RemoteUpstream[] = [];
const clusters: ClusterHandle[] = [];

beforeAll(async () => {
  guarded = await openGuardedOrigin();
  const { origin, gate: entrance } = guarded;
  namespace = (await origin.create('config')).namespace.id;
  server = new RpcServer({ ...timing, upstream: origin, entrance, requestTimeoutMs: 20_000, rooms });
  address = await server.start('127.0.0.1', 0);
  const metrics = async () => ({ contentType: 'text/plain', text: 'metrics of the node\n' });
  const expiryClock = { nowMs: () => systemClock.wallMs() };
  const report = { metrics, status: () => origin.status(), entrance };
  listener = new HttpListener({
    ...timing,
    surfaces: [
      { name: 'binding', surface: new BindingSurface(entrance, systemClock, rooms, expiryClock) },
      { name: 'rest', surface: new RestSurface(entrance, systemClock, rooms, expiryClock) },
      { name: 'node', surface: new NodeRoutes(report, systemClock), always: true },
    ],
    observer: { answered: () => {}, rejected: () => {} },
    exchangeMs: 20_000,
  });
  base = `http://${await listener.start('127.0.0.1', 0)}`;
});

afterAll(async () => {
  for (const remote of [...remotes, ...clusters]) remote.close();
  await server.stop(1000);
  await listener.stop(1000);
  await guarded.close();
});

function remoteWith(token: string | undefined): RemoteUpstream {
  const remote = new RemoteUpstream({ address, clock: systemClock, credential: () => token });
  remotes.push(remote);
  return remote;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const http = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
  const response = await fetch(base + path, { method, headers });
  return { status: response.status, reason: response.statusText, text: await response.text() };
};

describe('a node that asks for tokens, over gRPC', () => {
  it('answers no method of any service of ours without one', async () => {
    const client = new Client(address, credentials.createInsecure());
    const methods = Object.values(services).flatMap(({ service }) => Object.values(service));
    expect(methods.length).toBeGreaterThan(20);
    for (const { path, requestStream, responseStream } of methods) {
      const code = await new Promise<number>((resolve) => {
        const done = (error: { code: number } | null) => resolve(error?.code ?? 0);
        const same = (value: Buffer) => value;
        const call =
          requestStream || responseStream
            ? client.makeBidiStreamRequest(path, same, same, new Metadata())
            : client.makeUnaryRequest(path, same, same, Buffer.alloc(0), done);
        if (requestStream || responseStream) {
          call
            .on('error', done)
            .on('data', () => resolve(-1))
            .on('end', () => resolve(0));
          const stream = call as unknown as { write(message: Buffer): void; end(): void };
          stream.write(Buffer.alloc(0));
          stream.end();
        }
      });
      expect(`${path} ${code}`).toBe(`${path} 16`);
    }
    client.close();
  });

  it('gives no room to a large request whose caller it does not know', async () => {
    const value = Buffer.alloc(20 * 1024 * 1024, 1);
    const put = { namespace, mutations: [{ kind: 'put' as const, key: 'big', value }], session };
    const held: number[] = [];
    const looking = setInterval(() => held.push(rooms.uploads.values.bytesInUse), 1);
    const attempts = Array.from({ length: 4 }, (_, index) =>
      remoteWith(index === 0 ? undefined : 'wrong').write(put, aCall()),
    );
    for (const { status, reason } of (await Promise.allSettled(attempts)) as PromiseRejectedResult[]) {
      expect(status).toBe('rejected');
      expect(reason).toMatchObject({ code: expect.stringMatching(/UNAUTHENTICATED|UNAVAILABLE|CANCELLED/) });
    }
    clearInterval(looking);
    expect(Math.max(...held)).toBe(0);
  });

  it('serves each caller by his own token, and passes values that are larger than a message', async () => {
    const [writer, reader] = await Promise.all(
      (['write', 'read'] as const).map(async (right: Right) => {
        return remoteWith(await guarded.issue({ namespace: 'config', prefix: 'big/', rights: [right] }));
      }),
    );
    if (writer === undefined || reader === undefined) throw new Error('two remotes');
    const value = Buffer.alloc(6 * 1024 * 1024, 7);
    const put = { kind: 'put', key: 'big/1', value } as const;
    await writer.write({ namespace, mutations: [put], session }, aCall());
    const { record } = await reader.get({ namespace, key: 'big/1', session }, aCall());
    expect(record?.kind === 'live' && Buffer.from(record.value).equals(value)).toBe(true);
    const denied = { code: 'PERMISSION_DENIED', details: { reason: 'right-missing' } };
    await expect(writer.get({ namespace, key: 'big/1', session }, aCall())).rejects.toMatchObject(denied);
    await expect(reader.write({ namespace, mutations: [put], session }, aCall())).rejects.toMatchObject(denied);
    const batch = reader.getMany({ namespace, keys: ['big/1', 'big', 'big/2'], session }, aCall());
    await expect(batch).rejects.toMatchObject({ code: 'PERMISSION_DENIED', details: { reason: 'out-of-scope' } });
  });

  it('checks each operation of a pipeline, and ends it once its token was revoked', async () => {
    let token = await guarded.issue({ name: 'piped', namespace: 'config', prefix: 'p/', rights: ['read', 'write'] });
    const piped = new RemoteUpstream({ address, clock: systemClock, credential: () => token, pipelined: true });
    remotes.push(piped);
    const put = (key: string) => {
      const mutations = [{ kind: 'put' as const, key, value: Buffer.from(key) }];
      return piped.write({ namespace, mutations, session }, aCall());
    };
    const get = (key: string, name = namespace) => piped.get({ namespace: name, key, session }, aCall());
    await guarded.origin.create('beside');
    await put('p/1');
    expect((await get('p/1')).record).toMatchObject({ kind: 'live' });
    const denied = { code: 'PERMISSION_DENIED' };
    const all = await Promise.allSettled([
      get('p/1'),
      get('p'),
      put('q'),
      get('p/1', 'beside'),
      get('p/1', 'config'),
      put('p/2'),
    ]);
    expect(all.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled', 'fulfilled'],
    ]);
    for (const one of all) if (one.status === 'rejected') expect(one.reason).toMatchObject(denied);
    const { text } = await guarded.origin.rotateToken({ name: 'piped', graceMs: 0 });
    await expect(get('p/1')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    token = text;
    expect((await get('p/1')).record).toMatchObject({ kind: 'live' });
  });

  it('refuses nobody who has the new token by the time that the one before ends', async () => {
    for (const graceMs of [0, 300]) {
      let token = await guarded.issue({
        name: `replaced ${graceMs}`,
        namespace: 'config',
        rights: ['read', 'write', 'watch'],
      });
      const cluster = connect({ endpoints: [address], token: () => token });
      clusters.push(cluster);
      const config = cluster.namespace('config');
      await config.put('rotated', 'before');
      const watched = config.watch({ prefix: 'rotated' })[Symbol.asyncIterator]();
      expect((await watched.next()).value).toMatchObject({ kind: 'caught-up' });
      ({ text: token } = await guarded.origin.rotateToken({ name: `replaced ${graceMs}`, graceMs }));
      // Longer than a node takes to end what was let in.
      for (const waitMs of [0, graceMs, 1000]) {
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        await Promise.all([config.put('rotated', `${waitMs}`), config.put('beside', 'v'), config.get('rotated')]);
        expect(await config.get('rotated')).toBe(`${waitMs}`);
      }
      const seen: string[] = [];
      while (!seen.includes('1000')) {
        const { value } = await watched.next();
        if (value?.kind === 'put') seen.push(Buffer.from(value.value ?? '').toString());
      }
      await watched.return?.();
    }
  });

  it('ends a watch whose token is revoked, and one whose namespace is renamed out of its scope', async () => {
    const moved = (await guarded.origin.create('pub-1')).namespace.id;
    const watched = async (token: string, name: string) => {
      const signal = new AbortController().signal;
      const events: string[] = [];
      for await (const event of remoteWith(token).watch({ namespace: name, prefix: '', fromStart: true }, signal)) {
        events.push(event.kind);
        if (event.kind === 'caught-up') started++;
      }
      return events;
    };
    let started = 0;
    const revoked = watched(await guarded.issue({ name: 'watcher', rights: ['watch'] }), 'config');
    const renamed = watched(await guarded.issue({ namespace: 'pub-*', rights: ['watch'] }), moved);
    const ends = [
      expect(revoked).rejects.toMatchObject({ code: 'UNAUTHENTICATED', details: { reason: 'token-ended' } }),
      expect(renamed).rejects.toMatchObject({ code: 'PERMISSION_DENIED' }),
    ];
    while (started < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    await guarded.origin.revokeToken('watcher');
    await guarded.origin.rename(moved, 'hidden');
    await Promise.all(ends);
  });

  it('takes a token from a client that carries its right to administer', async () => {
    const admin = remoteWith(adminToken);
    const scope = { namespace: 'config', prefix: 'x', rights: ['read', 'watch'] } as const;
    const limits = { readsPerSecond: 5, bytesPerSecond: 2 ** 40 };
    const { info, text } = await admin.createToken({ name: 'made', ...scope, lifeMs: 60_000, limits }, aCall());
    expect(info).toMatchObject({ name: 'made', ...scope, limits, expiresMs: info.createdMs + 60_000 });
    expect((await admin.tokens(aCall())).find(({ id }) => id === info.id)).toEqual(info);
    const rotated = await admin.rotateToken({ name: 'made', graceMs: 60_000 }, aCall());
    expect(rotated.info).toMatchObject({ name: 'made', ...scope, limits });
    for (const valid of [text, rotated.text]) await remoteWith(valid).find('config', aCall());
    expect((await admin.revokeToken('made', aCall())).map(({ id }) => id).sort()).toEqual(
      [info.id, rotated.info.id].sort(),
    );
    for (const old of [text, rotated.text]) {
      await expect(remoteWith(old).find('config', aCall())).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
    const taken = admin.createToken({ name: 'twice', ...scope }, aCall()).then(() => {
      return admin.createToken({ name: 'twice', ...scope }, aCall());
    });
    await expect(taken).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(admin.revokeToken('nobody', aCall())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(admin.rotateToken({ name: 'nobody', graceMs: 0 }, aCall())).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('a token that may have one connection', () => {
  it('is refused on a second one to either port, and served again once the first is closed', async () => {
    const token = await guarded.issue({ namespace: 'config', limits: { connectionsMax: 1 } });
    const get = (remote: RemoteUpstream) => remote.get({ namespace, key: 'k', session }, aCall());
    const first = remoteWith(token);
    await get(first);
    await get(first);
    const tooMany = { code: 'RESOURCE_EXHAUSTED', details: { reason: 'token-connections' } };
    // To another connection of HTTP/2: those to one address are shared.
    const { port } = new URL(base);
    const second = new RemoteUpstream({
      address: `localhost:${address.split(':')[1]}`,
      clock: systemClock,
      credential: () => token,
    });
    remotes.push(second);
    await expect(get(second)).rejects.toMatchObject(tooMany);
    const over = { 'meridian-namespace': 'config', ...bearer(token) };
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const status = () => {
      return new Promise<number | undefined>((resolve, reject) => {
        httpGet({ agent, host: '127.0.0.1', port, path: '/k', headers: over }, (answer) => {
          answer.resume().once('end', () => resolve(answer.statusCode));
        }).on('error', reject);
      });
    };
    expect(await status()).toBe(429);
    first.close();
    second.close();
    await expect.poll(status, { timeout: 10_000 }).toBe(404);
    agent.destroy();
  });
});

describe('a node that asks for tokens, over HTTP', () => {
  it('tells strangers that it lives and whether it is ready, and nothing else', async () => {
    expect(await http('/livez')).toMatchObject({ status: 200 });
    expect(await http('/readyz')).toMatchObject({ status: 200, text: 'ready\n' });
    for (const path of ['/metrics', '/status']) {
      expect(await http(path)).toMatchObject({ status: 401 });
      expect(await http(path, bearer('wrong'))).toMatchObject({ status: 401 });
      expect(await http(path, bearer(await guarded.issue({ rights: ['read'] })))).toMatchObject({ status: 403 });
      expect(await http(path, bearer(await guarded.issue({ rights: ['status'] })))).toMatchObject({ status: 200 });
    }
  });

  it('serves a binding by its injected header, in the phrase that a Worker sees', async () => {
    const named = { 'meridian-namespace': 'config' };
    expect(await http('/key', named)).toMatchObject({
      status: 401,
      reason: expect.stringContaining('asks for a token'),
    });
    const token = bearer(await guarded.issue({ namespace: 'config', prefix: 'w/', rights: ['read', 'write', 'list'] }));
    expect(await http('/w%2Fkey?urlencoded=true', { ...named, ...token }, 'PUT')).toMatchObject({ status: 200 });
    expect(await http('/w%2Fkey?urlencoded=true', { ...named, ...token })).toMatchObject({ status: 200 });
    for (const path of [
      '/other',
      '/%77%2Fkey',
      '/W%2Fkey?urlencoded=true',
      '/%2e%2e%2Fw%2Fkey?urlencoded=true',
      '/?prefix=',
      '/?prefix=v',
    ]) {
      expect(await http(path, { ...named, ...token }), path).toMatchObject({ status: 403 });
    }
    expect(await http('/?prefix=w/', { ...named, ...token })).toMatchObject({ status: 200 });
    expect(await http('/w/key', { 'meridian-namespace': 'other', ...token })).toMatchObject({ status: 403 });
    const bulk = await fetch(`${base}/bulk/get`, {
      ...{ method: 'POST', headers: { ...named, ...token }, body: JSON.stringify({ keys: ['w/key', 'x'] }) },
    });
    expect(bulk.status).toBe(403);
  });

  it('takes the token of the REST API in X-Auth-Key too, where nothing else is presented', async () => {
    const path = `/client/v4/accounts/any/storage/kv/namespaces/${namespace}/keys`;
    const issued = bearer(await guarded.issue({ namespace: 'config', rights: ['list'] }));
    const key = { 'x-auth-email': 'a@example.org', 'x-auth-key': issued.authorization.slice('Bearer '.length) };
    expect(await http(path, key)).toMatchObject({ status: 200 });
    expect(await http(path, { ...key, ...bearer('wrong') })).toMatchObject({ status: 401 });
    expect(await http(path, { ...key, 'x-auth-key': 'wrong' })).toMatchObject({ status: 401 });
    expect(await http('/?prefix=', { ...key, 'meridian-namespace': 'config' })).toMatchObject({ status: 401 });
    expect(await http('/status', key)).toMatchObject({ status: 401 });
  });

  it('serves the REST API by the token, in its own envelope', async () => {
    const path = `/client/v4/accounts/any/storage/kv/namespaces/${namespace}`;
    const refused = await http(`${path}/values/k`);
    expect(refused.status).toBe(401);
    const message = expect.stringMatching(/^Authentication error: this node asks for a token/);
    expect(JSON.parse(refused.text)).toMatchObject({ success: false, errors: [{ code: 10000, message }] });
    const token = bearer(await guarded.issue({ namespace: 'config', prefix: 'r/', rights: ['read', 'write', 'list'] }));
    expect(await http(`${path}/values/r%2F1`, token, 'PUT')).toMatchObject({ status: 200 });
    for (const [method, rest] of [
      ['GET', '/values/q'],
      ['PUT', '/values/r'],
      ['DELETE', ''],
      ['GET', '/keys'],
      ['GET', '/keys?prefix=q'],
    ] as const) {
      expect(await http(path + rest, token, method), `${method} ${rest}`).toMatchObject({ status: 403 });
    }
    const pairs = JSON.stringify([
      { key: 'r/2', value: 'v' },
      { key: 's', value: 'v' },
    ]);
    const bulk = await fetch(`${base}${path}/bulk`, { method: 'PUT', headers: token, body: pairs });
    expect(bulk.status).toBe(403);
    expect(await http(`${path}/values/r%2F2`, token)).toMatchObject({ status: 404 });
  });
});
