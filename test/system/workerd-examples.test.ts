import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runWorker } from '../../deploy/examples/run-worker.mjs';
import { publish, typeOf } from '../../deploy/examples/static-assets/publish.mjs';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { ProcessCluster, placeOf } from './process-cluster.ts';

const regions = ['copying', 'caching'] as const;
const examples = ['configuration', 'api-keys', 'reverse-proxy', 'static-assets'] as const;
const site = 'deploy/examples/static-assets/site';
const arrival = { timeout: 30_000 };

const nodes = new ProcessCluster();
const closing: Array<() => unknown> = [];
const urls = new Map<string, string>();
let cluster: ClusterHandle;
let backends: readonly string[];

/** A backend that tells what it was asked, as JSON. */
async function backend(name: string): Promise<string> {
  const server: Server = createServer(({ method, url, headers }, response) =>
    response.end(JSON.stringify({ name, method, url, headers })),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.unshift(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  const origin = await nodes.start('origin', 'iad');
  cluster = nodes.connect(origin);
  const titles = ['configuration', 'api-keys', 'routes', 'site'];
  for (const title of titles) await cluster.namespaces.create(title);
  const api = await backend('api');
  backends = [await backend('blue'), await backend('green')];
  for (const region of regions) {
    const replicate = region === 'copying' ? ['--replicate', ...titles] : [];
    const flags = ['--upstream', placeOf(origin.grpc), ...replicate];
    const edge = await nodes.start('edge', region, { flags });
    await nodes.ready(edge);
    const kv = placeOf(edge.http);
    for (const example of examples) {
      const externals = example === 'api-keys' ? { kv, api } : { kv };
      const worker = await runWorker({ example, externals });
      closing.unshift(() => worker.stop());
      urls.set(`${region} ${example}`, worker.url);
    }
  }
});

afterAll(async () => {
  for (const close of closing) await close();
  await nodes.close();
});

describe.each(regions)('the example Workers at a %s edge', (region) => {
  const visit = (example: (typeof examples)[number], path = '/', init: RequestInit = {}) =>
    fetch(`${urls.get(`${region} ${example}`)}${path}`, { redirect: 'manual', ...init });

  it('configuration: serves redirects and groups, keeps a visitor in his group, and follows the origin', async () => {
    const config = (bold: number) => ({
      banner: `${bold} percent`,
      redirects: { '/old': '/new' },
      test: { name: 'hero', groups: { bold: { percent: bold, shows: { hero: 'bold' } } } },
    });
    const page = async (cookie = '') => {
      const answer = await visit('configuration', '/', { headers: { cookie } });
      return { ...((await answer.json()) as object), cookie: answer.headers.get('set-cookie')?.split(';')[0] };
    };
    for (const bold of [100, 0]) {
      await cluster.namespace('configuration').put('site', JSON.stringify(config(bold)));
      await expect.poll(page, arrival).toMatchObject({ banner: `${bold} percent` });
      expect(await page()).toMatchObject(bold === 100 ? { group: 'bold', hero: 'bold' } : { group: 'control' });
    }
    expect((await visit('configuration', '/old')).headers.get('location')).toMatch(/\/new$/);
    await cluster.namespace('configuration').put('site', JSON.stringify({ ...config(50), banner: 'halves' }));
    await expect.poll(page, arrival).toMatchObject({ banner: 'halves' });
    const seen = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const first = await page();
        const again = await page(first.cookie);
        expect(again).toEqual({ ...first, cookie: undefined });
        return 'hero' in first;
      }),
    );
    expect(new Set(seen)).toEqual(new Set([true, false]));
  });

  it('configuration: serves without one', async () => {
    await cluster.namespace('configuration').delete('site');
    const page = async () => (await visit('configuration')).json();
    await expect.poll(page, arrival).toEqual({ banner: null, group: 'control' });
  });

  it('api-keys: lets a key through with its scopes, and refuses it once it is disabled at the origin', async () => {
    const keys = cluster.namespace('api-keys');
    const holder = { user: 'ann', enabled: true, scopes: ['read'] };
    const entry = `key/${createHash('sha256').update('secret').digest('hex')}`;
    const headers = { authorization: 'Bearer secret', 'x-user-id': 'root', 'x-scopes': 'all' };
    const status = async (method = 'GET') => (await visit('api-keys', '/orders', { method, headers })).status;
    expect((await visit('api-keys', '/orders')).status).toBe(401);
    await keys.put(entry, JSON.stringify(holder));
    await expect.poll(status, arrival).toBe(200);
    expect(await status('POST')).toBe(403);
    const reached = await (await visit('api-keys', '/orders?of=ann', { headers })).json();
    expect(reached).toMatchObject({ url: '/orders?of=ann', headers: { 'x-user-id': 'ann', 'x-scopes': 'read' } });
    expect(reached).not.toHaveProperty('headers.authorization');
    await keys.put(entry, JSON.stringify({ ...holder, enabled: false }));
    await expect.poll(status, arrival).toBe(403);
    await keys.delete(entry);
    expect((await visit('api-keys', '/', { headers: { authorization: 'Bearer other' } })).status).toBe(403);
  });

  it('reverse-proxy: follows the longest route, strips it, sends canaries, and changes with the table', async () => {
    const routes = cluster.namespace('routes');
    const [blue, green] = backends.map((address) => `http://${address}`);
    const top = `/${region}`;
    const reached = async (path: string) =>
      (await (await visit('reverse-proxy', path)).json().catch(() => undefined)) as { name: string; url: string };
    expect((await visit('reverse-proxy', top)).status).toBe(404);
    await routes.put(top, JSON.stringify({ backend: blue, strip: true }));
    await expect
      .poll(() => reached(`${top}/users/7?a=b`), arrival)
      .toMatchObject({ name: 'blue', url: '/users/7?a=b' });
    expect(await reached(`/${top}//users//7`)).toMatchObject({ name: 'blue', url: '//users//7' });
    expect(await reached(`${top}/${'long/'.repeat(200)}`)).toMatchObject({
      name: 'blue',
      url: `/${'long/'.repeat(200)}`,
    });
    await routes.put(`${top}/users`, JSON.stringify({ backend: green }));
    await expect.poll(() => reached(`${top}/users/7`), arrival).toMatchObject({ name: 'green', url: `${top}/users/7` });
    expect(await reached(`${top}/usersandmore`)).toMatchObject({ name: 'blue' });
    await routes.put(top, JSON.stringify({ backend: blue, canary: { backend: green, percent: 100 } }));
    await expect.poll(() => reached(`${top}/x`), arrival).toMatchObject({ name: 'green', url: `${top}/x` });
    await routes.put(top, JSON.stringify({ backend: 'http://127.0.0.1:1' }));
    await expect.poll(async () => (await visit('reverse-proxy', top)).status, arrival).toBe(502);
    for (const prefix of [top, `${top}/users`]) await routes.delete(prefix);
    await expect.poll(async () => (await visit('reverse-proxy', top)).status, arrival).toBe(404);
  });

  it('static-assets: serves the real files with their types, and a new version of one', async () => {
    const assets = cluster.namespace('site');
    await publish(site, assets);
    expect(await publish(site, assets)).toEqual({ written: 0, deleted: 0 });
    const files = {
      '/': ['index.html', 'text/html; charset=utf-8'],
      '/style.css': ['style.css', 'text/css; charset=utf-8'],
      '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
      '/data/facts.json': ['data/facts.json', 'application/json; charset=utf-8'],
      '/icons/meridian.svg': ['icons/meridian.svg', 'image/svg+xml; charset=utf-8'],
      '/icons/dot.png': ['icons/dot.png', 'image/png'],
    };
    for (const [path, [file, type]] of Object.entries(files)) {
      const bytes = async () => Buffer.from(await (await visit('static-assets', path)).arrayBuffer()).toString('hex');
      await expect.poll(bytes, arrival).toBe(readFileSync(`${site}/${file}`).toString('hex'));
      const answer = await visit('static-assets', path);
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, 200, type]);
      const etag = answer.headers.get('etag') ?? '';
      expect((await visit('static-assets', path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
    const missing = await visit('static-assets', '/nowhere');
    expect([missing.status, await missing.text()]).toEqual([404, readFileSync(`${site}/404.html`, 'utf8')]);
    expect((await visit('static-assets', '/%zz')).status).toBe(400);
    expect((await visit('static-assets', `/${'ü'.repeat(300)}`)).status).toBe(404);
    expect((await visit('static-assets', '/', { method: 'POST' })).status).toBe(405);
    expect(await (await visit('static-assets', '/app.js', { method: 'HEAD' })).text()).toBe('');
    await assets.put('style.css', `/* ${region} */`, { metadata: { type: 'text/css' } });
    await expect.poll(async () => (await visit('static-assets', '/style.css')).text(), arrival).toBe(`/* ${region} */`);
  });
});

it.each([
  ['a.HTML', 'text/html; charset=utf-8'],
  ['font.woff2', 'font/woff2'],
  ['photo.jpg', 'image/jpeg'],
  ['app.wasm', 'application/wasm'],
  ['LICENSE', 'application/octet-stream'],
])('the publisher takes %s for %s', (path, type) => {
  expect(typeOf(path)).toBe(type);
});
