import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import { productPageWorkers } from '../http/workers/product-page-workers.ts';
import { type ServedOrigin, serveOrigin } from '../http/workers/served-origin.ts';
import { type RunningWorkerd, startWorkerd } from '../http/workers/workerd.ts';
import { aCall } from '../rpc/loopback.ts';

/** Runs the text of its request as the body of a function of KV, and answers its result as JSON, or what it threw. */
const evaluator = `
const calls = {
  put: (kv, a) => kv.put(a.key, a.bytes ? new Uint8Array(a.bytes) : a.value, a.options),
  get: async (kv, a) => { const v = await kv.get(a.key, a.options); return v instanceof Map ? Object.fromEntries(v) : v; },
  getBytes: async (kv, a) => [...new Uint8Array(await kv.get(a.key, 'arrayBuffer'))],
  getStream: async (kv, a) => await new Response(await kv.get(a.key, 'stream')).text(),
  getWithMetadata: async (kv, a) => { const v = await kv.getWithMetadata(a.key, a.options); return v instanceof Map ? Object.fromEntries(v) : v; },
  list: (kv, a) => kv.list(a.options),
  delete: (kv, a) => kv.delete(a.key),
};
const worker = { async fetch(request, env) {
  const url = new URL(request.url);
  if (url.pathname === '/stream' && request.method === 'PUT') { await env.KV.put('stream', request.body); return new Response('ok'); }
  if (url.pathname === '/stream') return new Response(await env.KV.get('stream', 'stream'));
  const { call, ...a } = await request.json();
  try { return Response.json({ result: (await calls[call](env.KV, a)) ?? null }); }
  catch (error) { return Response.json({ thrown: error.message }); }
} };
export { worker as default };`;

let served: ServedOrigin;
let backend: Server;
let workerd: RunningWorkerd;

beforeAll(async () => {
  served = await serveOrigin();
  backend = createServer((request, response) => {
    response.end(`${request.headers.host}${request.url} as ${request.headers['x-user-id']}`);
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  workerd = await startWorkerd({
    node: served.address,
    outbound: `127.0.0.1:${(backend.address() as AddressInfo).port}`,
    workers: [
      { name: 'evaluator', source: evaluator, bindings: { KV: 'config' } },
      { name: 'store', source: productPageWorkers.store, bindings: { KV: 'pages' } },
      { name: 'abTest', source: productPageWorkers.abTest, bindings: { CONFIG_STORE: 'config' } },
      { name: 'apiKeys', source: productPageWorkers.apiKeys, bindings: { API_KEYS: 'config' } },
      { name: 'routing', source: productPageWorkers.routing, bindings: { ROUTING_RULES: 'config' } },
    ],
  });
  await served.origin.create('pages');
});

afterAll(async () => {
  await workerd?.stop();
  backend?.close();
  await served?.close();
});

function visit(worker: string, path = '/', init: RequestInit = {}): Promise<Response> {
  return fetch(`${workerd.urls.get(worker)}${path}`, init);
}

async function kv(call: string, asked: object = {}): Promise<{ result?: unknown; thrown?: string }> {
  const answer = await visit('evaluator', '/', { method: 'POST', body: JSON.stringify({ call, ...asked }) });
  return (await answer.json()) as { result?: unknown; thrown?: string };
}

async function put(key: string, value: string): Promise<void> {
  const mutations = [{ kind: 'put' as const, key, value: Buffer.from(value) }];
  await served.origin.write({ namespace: 'config', mutations, session: emptySession }, aCall());
}

describe('a Worker in the real runtime', () => {
  it('gets what it put, in all four types', async () => {
    const key = 'dir/ü %2F?#🚀';
    await kv('put', { key, value: '{"ü":1}' });
    expect(await kv('get', { key })).toEqual({ result: '{"ü":1}' });
    expect(await kv('get', { key, options: { type: 'json', cacheTtl: 60 } })).toEqual({ result: { ü: 1 } });
    expect(await kv('getBytes', { key })).toEqual({ result: [...Buffer.from('{"ü":1}')] });
    expect(await kv('getStream', { key })).toEqual({ result: '{"ü":1}' });
    await kv('put', { key: 'bytes', bytes: [0, 255, 128] });
    expect(await kv('getBytes', { key: 'bytes' })).toEqual({ result: [0, 255, 128] });
  });

  it('gets metadata, null for none, and null for an absent key', async () => {
    const metadata = { von: 'Jürgen 🚀' };
    await kv('put', { key: 'meta', value: 'x', options: { metadata, expirationTtl: 60 } });
    expect((await kv('getWithMetadata', { key: 'meta' })).result).toMatchObject({ value: 'x', metadata });
    await kv('put', { key: 'meta', value: 'y' });
    expect((await kv('getWithMetadata', { key: 'meta' })).result).toMatchObject({ value: 'y', metadata: null });
    expect(await kv('get', { key: 'never' })).toEqual({ result: null });
  });

  it('gets many keys at once', async () => {
    await kv('put', { key: 'many1', value: '[1]', options: { metadata: { a: 1 } } });
    expect(await kv('get', { key: ['many1', 'none'] })).toEqual({ result: { many1: '[1]', none: null } });
    expect(await kv('get', { key: ['many1'], options: { type: 'json' } })).toEqual({ result: { many1: [1] } });
    expect((await kv('getWithMetadata', { key: ['many1'] })).result).toMatchObject({
      many1: { value: '[1]', metadata: { a: 1 } },
    });
  });

  it('lists pages and deletes', async () => {
    for (const key of ['l/1', 'l/2', 'l/3']) await kv('put', { key, value: 'x', options: { metadata: [key] } });
    const { result } = await kv('list', { options: { prefix: 'l/', limit: 2 } });
    const { cursor } = result as { cursor: string };
    expect(result).toMatchObject({ keys: [{ name: 'l/1', metadata: ['l/1'] }, { name: 'l/2' }], list_complete: false });
    expect((await kv('list', { options: { prefix: 'l/', cursor } })).result).toMatchObject({
      keys: [{ name: 'l/3' }],
      list_complete: true,
    });
    await kv('delete', { key: 'l/1' });
    expect(await kv('get', { key: 'l/1' })).toEqual({ result: null });
  });

  it('puts with a time of expiry, and deletes what has expired from its reads', async () => {
    const expiration = Math.floor(Date.now() / 1000) + 3600;
    await kv('put', { key: 'x/at', value: 'x', options: { expiration } });
    await kv('put', { key: 'x/both', value: 'x', options: { expiration, expirationTtl: 7200 } });
    const { result } = await kv('list', { options: { prefix: 'x/' } });
    const later = expect.toSatisfy((at: number) => at > expiration + 3000);
    expect(result).toMatchObject({
      keys: [
        { name: 'x/at', expiration },
        { name: 'x/both', expiration: later },
      ],
    });
    const mutations = [
      { kind: 'put' as const, key: 'x/soon', value: Buffer.from('x'), expiry: { kind: 'in' as const, seconds: 1 } },
    ];
    await served.origin.write({ namespace: 'config', mutations, session: emptySession }, aCall());
    await expect.poll(() => kv('get', { key: 'x/soon' }), { timeout: 20_000 }).toEqual({ result: null });
    expect((await kv('get', { key: ['x/soon'] })).result).toEqual({ 'x/soon': null });
    expect((await kv('list', { options: { prefix: 'x/s' } })).result).toMatchObject({ keys: [], list_complete: true });
  });

  it('sees the words of each refusal', async () => {
    expect(await kv('put', { key: 'k', value: 'x', options: { expirationTtl: 30 } })).toEqual({
      thrown: 'KV PUT failed: 400 Invalid expiration_ttl of 30. Expiration TTL must be at least 60.',
    });
    expect(await kv('put', { key: 'k', value: 'x', options: { metadata: 'm'.repeat(1023) } })).toEqual({
      thrown: 'KV PUT failed: 413 Metadata length of 1025 exceeds limit of 1024.',
    });
  });

  it.each([0, 1, 65_536, 1_048_577, 26_214_400])('streams %i bytes in and out', async (bytes) => {
    const body = Buffer.alloc(bytes, 'streamed ');
    expect((await visit('evaluator', '/stream', { method: 'PUT', body })).status).toBe(200);
    const answer = Buffer.from(await (await visit('evaluator', '/stream')).arrayBuffer());
    expect(answer.equals(body)).toBe(true);
  });
});

describe('the Workers of the product page', () => {
  it('store, read, list and delete', async () => {
    expect(await (await visit('store')).json()).toMatchObject({
      value: 'VALUE',
      allKeys: { keys: [{ name: 'KEY' }], list_complete: true },
    });
  });

  it('serve the variant of a user group', async () => {
    await put('homepage-test', '{"control":{"hero":"plain"},"b":{"hero":"bold"}}');
    expect(await (await visit('abTest')).json()).toEqual({ hero: 'plain' });
    expect(await (await visit('abTest', '/', { headers: { 'X-User-Group': 'b' } })).json()).toEqual({ hero: 'bold' });
  });

  it('let through who has an enabled key', async () => {
    await put('key-1', '{"enabled":true,"userId":"ann"}');
    await put('key-2', '{"enabled":false,"userId":"bob"}');
    const as = (key: string) => visit('apiKeys', '/data', { headers: { Authorization: `Bearer ${key}` } });
    expect((await visit('apiKeys')).status).toBe(401);
    expect((await as('key-2')).status).toBe(403);
    expect(await (await as('key-1')).text()).toMatch(/\/data as ann$/);
  });

  it('route by the first part of the path', async () => {
    await put('/api', 'backend.internal');
    expect(await (await visit('routing', '/api/users')).text()).toMatch(/^backend\.internal(:\d+)?\/api\/users as/);
    expect((await visit('routing', '/other')).status).toBe(404);
  });
});
