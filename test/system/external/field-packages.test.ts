import { getAssetFromKV, NotFoundError } from '@cloudflare/kv-asset-handler';
import { type Cache, cachified } from '@epic-web/cachified';
import { Hono } from 'hono';
import { rateLimiter, UnstorageStore } from 'hono-rate-limiter';
import { AutoRouter } from 'itty-router';
import { createStorage, type Storage } from 'unstorage';
import bindingDriver from 'unstorage/drivers/cloudflare-kv-binding';
import httpDriver from 'unstorage/drivers/cloudflare-kv-http';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Namespace } from '../../../src/client/namespace.ts';
import { ProcessCluster, placeOf } from '../process-cluster.ts';

/** Packages that Workers use, unchanged, over a real node: the client's namespace stands where they expect a binding. */
const cluster = new ProcessCluster();
let namespace: Namespace;
let http: string;
let namespaceId: string;

beforeAll(async () => {
  const origin = await cluster.start('origin', 'iad');
  const client = cluster.connect(origin);
  namespaceId = (await client.namespaces.create('app')).id;
  namespace = client.namespace('app');
  http = placeOf(origin.http);
});

afterAll(() => cluster.close());

it('hono serves and stores through its environment', async () => {
  const app = new Hono<{ Bindings: { KV: Namespace } }>();
  app.put('/notes/:name', async (context) => {
    await context.env.KV.put(`note:${context.req.param('name')}`, await context.req.text(), {
      metadata: { by: 'hono' },
    });
    return context.body(null, 201);
  });
  app.get('/notes/:name', async (context) => {
    const { value, metadata } = await context.env.KV.getWithMetadata(`note:${context.req.param('name')}`);
    return value === null ? context.notFound() : context.json({ value, metadata });
  });
  const env = { KV: namespace };
  expect((await app.request('/notes/ä b', { method: 'PUT', body: 'text' }, env)).status).toBe(201);
  expect(await (await app.request('/notes/ä b', {}, env)).json()).toEqual({ value: 'text', metadata: { by: 'hono' } });
  expect((await app.request('/notes/none', {}, env)).status).toBe(404);
});

it('hono-rate-limiter counts in a namespace, across two instances of a Worker', async () => {
  const worker = () => {
    const storage = createStorage({ driver: bindingDriver({ binding: namespace as never, base: 'limits' }) });
    const app = new Hono();
    const store = new UnstorageStore({ storage: storage as never });
    app.use(rateLimiter({ windowMs: 60_000, limit: 3, keyGenerator: () => 'somebody', store }));
    app.get('/', (context) => context.text('served'));
    return app;
  };
  const [one, two] = [worker(), worker()];
  const statuses: number[] = [];
  for (const app of [one, two, one, two, one]) statuses.push((await app.request('/')).status);
  expect(statuses).toEqual([200, 200, 200, 429, 429]);
});

it('hono-rate-limiter counts by its own store for Workers KV, whose expirations have fractions', async () => {
  // Its types describe the whole runtime of Workers; by a name that the compiler does not follow they stay outside.
  const name = '@hono-rate-limiter/cloudflare/index.esm.js';
  const { WorkersKVStore } = (await import(name)) as { WorkersKVStore: new (options: object) => object };
  const worker = () => {
    const app = new Hono();
    const store = new WorkersKVStore({ namespace, prefix: 'limit:' });
    app.use(rateLimiter({ windowMs: 15 * 60_000 + 250, limit: 2, keyGenerator: () => 'ann', store: store as never }));
    app.get('/', (context) => context.text('served'));
    return app;
  };
  const statuses: number[] = [];
  for (const app of [worker(), worker(), worker()]) statuses.push((await app.request('/')).status);
  expect(statuses).toEqual([200, 200, 429]);
  const { keys } = await namespace.list({ prefix: 'limit:' });
  expect(keys).toMatchObject([{ name: 'limit:ann', expiration: expect.any(Number) }]);
  expect(Number.isInteger(keys[0]?.expiration)).toBe(true);
});

it('itty-router answers from a namespace, missing keys with 404', async () => {
  const router = AutoRouter();
  router.get(
    '/flags/:name',
    async ({ params }) => (await namespace.get(`flag:${params['name']}`, 'json')) ?? undefined,
  );
  await namespace.put('flag:beta', '{"on":true}');
  const ask = (path: string) => router.fetch(new Request(`http://worker${path}`));
  expect(await (await ask('/flags/beta')).json()).toEqual({ on: true });
  expect((await ask('/flags/gamma')).status).toBe(404);
});

it('kv-asset-handler serves files from a namespace, with their types, and tells what is not there', async () => {
  await namespace.put('index.0a1b.html', '<h1>Hello</h1>');
  await namespace.put('logo.2c3d.png', Uint8Array.of(137, 80, 78, 71));
  vi.stubGlobal('caches', { default: { match: async () => undefined, put: async () => {} } });
  const serve = (path: string) => {
    const event = { request: new Request(`http://worker${path}`), waitUntil: () => {} };
    const manifest = { 'index.html': 'index.0a1b.html', 'logo.png': 'logo.2c3d.png' };
    return getAssetFromKV(event as never, { ASSET_NAMESPACE: namespace, ASSET_MANIFEST: manifest });
  };
  try {
    const page = await serve('/');
    expect([page.headers.get('content-type'), await page.text()]).toEqual([
      'text/html; charset=utf-8',
      '<h1>Hello</h1>',
    ]);
    const logo = await serve('/logo.png');
    expect([...new Uint8Array(await logo.arrayBuffer())]).toEqual([137, 80, 78, 71]);
    await expect(serve('/none.css')).rejects.toThrow(NotFoundError);
  } finally {
    vi.unstubAllGlobals();
  }
});

it('cachified keeps fresh values in a namespace and makes stale ones anew', async () => {
  const cache: Cache = {
    get: (key) => namespace.get(`cached:${key}`, 'json'),
    set: (key, entry) => namespace.put(`cached:${key}`, JSON.stringify(entry)),
    delete: (key) => namespace.delete(`cached:${key}`),
  };
  let made = 0;
  const read = (forceFresh = false) =>
    cachified({
      key: 'user',
      cache,
      ttl: 60_000,
      forceFresh,
      getFreshValue: async () => ({ name: 'Ann', made: ++made }),
    });
  expect(await read()).toEqual({ name: 'Ann', made: 1 });
  expect(await read()).toEqual({ name: 'Ann', made: 1 });
  expect(await read(true)).toEqual({ name: 'Ann', made: 2 });
  await cache.delete('user');
  expect(await read()).toEqual({ name: 'Ann', made: 3 });
});

describe.each([
  ['cloudflare-kv-binding', () => bindingDriver({ binding: namespace as never, base: 'binding' })],
  [
    'cloudflare-kv-http',
    () => httpDriver({ apiURL: `http://${http}`, accountId: 'any', namespaceId, apiToken: 'any', base: 'rest' }),
  ],
])('unstorage’s driver %s', (_name, driver) => {
  let storage: Storage;
  beforeAll(() => {
    storage = createStorage({ driver: driver() });
  });

  it('sets, gets, lists and removes', async () => {
    await storage.setItem('users:ann', { name: 'Ann', tags: ['ä', '😀'] });
    await storage.setItem('users:bob', 'text');
    expect(await storage.getItem('users:ann')).toEqual({ name: 'Ann', tags: ['ä', '😀'] });
    expect(await storage.getItem('users:bob')).toBe('text');
    expect([await storage.hasItem('users:ann'), await storage.hasItem('users:nobody')]).toEqual([true, false]);
    expect((await storage.getKeys('users')).map((key) => key.replace(/^.*users:/, '')).sort()).toEqual(['ann', 'bob']);
    await storage.removeItem('users:ann');
    expect(await storage.getItem('users:ann')).toBeNull();
  });
});
