import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../../src/client/cluster-handle.ts';
import { ProcessCluster, placeOf } from '../process-cluster.ts';
import { type Ran, runTool, vendorTools } from './vendor-tools.ts';

const tools = vendorTools();
const empty = new ArrayBuffer(0);

/** The vendor's command line, told of nothing but another base of its API, at an edge: its writes go to the origin. */
describe.runIf(tools !== undefined)('wrangler kv, unmodified', () => {
  const cluster = new ProcessCluster();
  const folder = join(cluster.folder, 'wrangler');
  let client: ClusterHandle;
  let id: string;
  let api: string;

  beforeAll(async () => {
    mkdirSync(folder);
    const origin = await cluster.start('origin', 'iad');
    const flags = ['--upstream', placeOf(origin.grpc), '--replicate', '*'];
    const edge = await cluster.start('edge', 'fra', { flags });
    client = cluster.connect(origin);
    api = `http://${placeOf(edge.http)}/client/v4`;
    id = (await client.namespaces.create('given')).id;
  });

  afterAll(() => cluster.close());

  function wrangler(...args: string[]): Promise<Ran> {
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      CI: '1',
      WRANGLER_SEND_METRICS: 'false',
      CLOUDFLARE_API_BASE_URL: api,
      CLOUDFLARE_API_TOKEN: 'token',
      CLOUDFLARE_ACCOUNT_ID: '0123456789abcdef0123456789abcdef',
    };
    const script = tools?.file('wrangler/bin/wrangler.js') ?? '';
    return runTool(tools?.node ?? '', [script, 'kv', ...args], { cwd: folder, env });
  }

  async function done(...args: string[]): Promise<string> {
    const { status, output } = await wrangler(...args);
    expect(status, output).toBe(0);
    return output;
  }

  const there = () => ['--namespace-id', id, '--remote'];
  const titles = async () => (await client.namespaces.list()).map(({ title }) => title).sort();

  it('creates, lists, renames and deletes namespaces', async () => {
    const made = /"id": "([0-9a-f]{32})"/.exec(await done('namespace', 'create', 'made'))?.[1];
    expect(JSON.parse(await done('namespace', 'list'))).toContainEqual({
      id: made,
      title: 'made',
      supports_url_encoding: true,
    });
    await done('namespace', 'rename', 'made', '--new-name', 'renamed');
    expect(await titles()).toEqual(['given', 'renamed']);
    await done('namespace', 'delete', '--namespace-id', String(made), '-y');
    expect(await titles()).toEqual(['given']);
  });

  it('says in its own words that a title is taken', async () => {
    const { status, output } = await wrangler('namespace', 'create', 'given');
    expect(status).toBe(1);
    expect(output).toMatch(/already exists/);
  });

  it('puts, gets, lists and deletes a key, with metadata and a ttl, as text and from a file of any bytes', async () => {
    const key = 'dir/ü %2F?#🚀';
    await done('key', 'put', key, 'text ü', '--metadata', '{"von":"Jürgen"}', '--ttl', '3600', ...there());
    expect(await done('key', 'get', key, '--text', ...there())).toContain('text ü');
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
    writeFileSync(join(folder, 'bytes'), bytes);
    await done('key', 'put', 'bytes', '--path', 'bytes', ...there());
    await done('key', 'put', 'bytes with metadata', '--path', 'bytes', '--metadata', '{"a":1}', ...there());
    const given = client.namespace('given');
    for (const name of ['bytes', 'bytes with metadata']) {
      expect(bytes.equals(new Uint8Array((await given.get(name, 'arrayBuffer')) ?? empty))).toBe(true);
    }
    expect(JSON.parse(await done('key', 'list', '--prefix', 'dir/', ...there()))).toEqual([
      { name: key, expiration: expect.any(Number), metadata: { von: 'Jürgen' } },
    ]);
    await done('key', 'delete', key, ...there());
    expect(await given.get(key, { maxStaleness: 0 })).toBeNull();
  });

  it('says in its own words that a key is absent', async () => {
    expect((await wrangler('key', 'get', 'never', '--text', ...there())).output).toMatch(/404/);
  });

  it('puts, gets and deletes in bulk, more than one request takes', async () => {
    const pairs = Array.from({ length: 1001 }, (_, i) => ({ key: `bulk/${i}`, value: `value ${i}` }));
    const bytes = { key: 'bulk/bytes', value: Buffer.from([0, 255]).toString('base64'), base64: true };
    writeFileSync(join(folder, 'pairs.json'), JSON.stringify([...pairs, bytes]));
    await done('bulk', 'put', 'pairs.json', ...there());
    const given = client.namespace('given');
    expect(new Uint8Array((await given.get('bulk/bytes', 'arrayBuffer')) ?? empty)).toEqual(new Uint8Array([0, 255]));
    writeFileSync(join(folder, 'keys.json'), JSON.stringify(['bulk/0', 'bulk/1000', 'never']));
    const got = await done('bulk', 'get', 'keys.json', ...there());
    expect(JSON.parse(/\{.*\}/s.exec(got)?.[0] ?? '')).toEqual({
      'bulk/0': expect.toSatisfy((value) => JSON.stringify(value).includes('value 0')),
      'bulk/1000': expect.toSatisfy((value) => JSON.stringify(value).includes('value 1000')),
      never: null,
    });
    writeFileSync(join(folder, 'all.json'), JSON.stringify([...pairs, bytes].map(({ key }) => key)));
    await done('bulk', 'delete', 'all.json', '--force', ...there());
    expect((await given.list({ prefix: 'bulk/', maxStaleness: 0 })).keys).toEqual([]);
  });
});
