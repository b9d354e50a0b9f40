import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { connect } from '../../src/client/connect.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { RunningNode } from '../../src/node/running-node.ts';
import { startEdge } from '../../src/node/start-edge.ts';
import { startOrigin } from '../../src/node/start-origin.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { productPageWorkers } from '../http/workers/product-page-workers.ts';
import { type RunningWorkerd, startWorkerd } from '../http/workers/workerd.ts';

/** Two regions, one of which copies the namespace while the other one caches it, each with a runtime of its own. */
const regions = [
  { name: 'copying', replicate: ['config'] },
  { name: 'caching', replicate: [] },
] as const;

/** PUT stores the body under the path, GET reads it. */
const passThrough = `const worker = { async fetch(request, env) {
  const key = new URL(request.url).pathname;
  if (request.method !== 'PUT') return new Response(await env.KV.get(key, 'stream'));
  await env.KV.put(key, request.body);
  return new Response('ok');
} };
export { worker as default };`;

const outside = { clock: systemClock, random: systemRandom, logger: silentLogger };
const folder = mkdtempSync(join(tmpdir(), 'meridian-edges-'));
const closing: Array<() => unknown> = [() => rmSync(folder, { recursive: true, force: true })];
const runtimes = new Map<string, RunningWorkerd>();
let cluster: ClusterHandle;

beforeAll(async () => {
  const sources = (flags: Record<string, unknown>) => ({
    flags: { listen: '127.0.0.1:0', http: '127.0.0.1:0', ...flags },
    env: {},
    file: {},
  });
  const origin: RunningNode = await startOrigin(
    resolveConfig('origin', sources({ data: join(folder, 'origin') })),
    outside,
  );
  closing.unshift(() => origin.stop());
  cluster = connect({ endpoints: [origin.grpcAddress] });
  closing.unshift(() => cluster.close());
  for (const title of ['config', 'pages']) await cluster.namespaces.create(title);
  const backend: Server = createServer((request, response) => response.end(`for ${request.headers['x-user-id']}`));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  closing.unshift(() => backend.close());
  for (const { name, replicate } of regions) {
    const flags = { data: join(folder, name), upstream: [origin.grpcAddress], replicate: [...replicate] };
    const edge = await startEdge(resolveConfig('edge', sources(flags)), outside);
    closing.unshift(() => edge.stop());
    const runtime = await startWorkerd({
      node: edge.httpAddress,
      outbound: `127.0.0.1:${(backend.address() as AddressInfo).port}`,
      workers: [
        { name: 'passThrough', source: passThrough, bindings: { KV: 'config' } },
        { name: 'store', source: productPageWorkers.store, bindings: { KV: 'pages' } },
        { name: 'abTest', source: productPageWorkers.abTest, bindings: { CONFIG_STORE: 'config' } },
        { name: 'apiKeys', source: productPageWorkers.apiKeys, bindings: { API_KEYS: 'config' } },
        { name: 'routing', source: productPageWorkers.routing, bindings: { ROUTING_RULES: 'config' } },
      ],
    });
    closing.unshift(() => runtime.stop());
    runtimes.set(name, runtime);
  }
});

afterAll(async () => {
  for (const close of closing) await close();
});

describe.each(regions)('a Worker at a $name edge', ({ name }) => {
  const visit = (worker: string, path = '/', init: RequestInit = {}) =>
    fetch(`${runtimes.get(name)?.urls.get(worker)}${path}`, init);

  it('stores, reads, lists and deletes as on the product page', async () => {
    expect(await (await visit('store')).json()).toMatchObject({ value: 'VALUE', allKeys: { keys: [{ name: 'KEY' }] } });
  });

  it('sees a change that is made at the origin arrive', async () => {
    const config = cluster.namespace('config');
    for (const hero of ['plain', 'bold']) {
      await config.put('homepage-test', JSON.stringify({ control: { hero } }));
      await expect
        .poll(async () => (await (await visit('abTest')).text()).trim(), { timeout: 10_000 })
        .toBe(JSON.stringify({ hero }));
    }
  });

  it('lets through who has a key, until it is taken away at the origin', async () => {
    const keys = cluster.namespace('config');
    const status = async () => (await visit('apiKeys', '/', { headers: { Authorization: 'Bearer secret' } })).status;
    await keys.put('secret', '{"enabled":true,"userId":"ann"}');
    await expect.poll(status, { timeout: 10_000 }).toBe(200);
    await keys.delete('secret');
    await expect.poll(status, { timeout: 10_000 }).toBe(403);
  });

  it('follows a new route', async () => {
    const path = `/${name}`;
    expect((await visit('routing', path)).status).toBe(404);
    await cluster.namespace('config').put(path, 'backend.internal');
    await expect.poll(async () => (await visit('routing', path)).status, { timeout: 10_000 }).toBe(200);
  });

  it.each([0, 1, 5_000_000, 26_214_400])('streams %i bytes in and out', async (bytes) => {
    const body = Buffer.alloc(bytes, 'streamed ');
    const path = `/${name}/${bytes}`;
    expect((await visit('passThrough', path, { method: 'PUT', body })).status).toBe(200);
    expect(Buffer.from(await (await visit('passThrough', path)).arrayBuffer()).equals(body)).toBe(true);
  });
});
