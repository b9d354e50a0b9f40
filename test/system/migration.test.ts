import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { meridianScript, ProcessCluster, placeOf } from './process-cluster.ts';

const cluster = new ProcessCluster();
let node: ChildNode;
let client: ClusterHandle;

beforeAll(async () => {
  node = await cluster.start('origin', 'iad');
  client = cluster.connect(node);
});

afterAll(() => cluster.close());

function run(script: string, args: readonly string[]): string {
  const env = {
    ...process.env,
    CLOUDFLARE_API_TOKEN: 'token',
    CLOUDFLARE_BASE_URL: `http://${placeOf(node.http)}/client/v4`,
    MERIDIAN_ENDPOINT: placeOf(node.grpc),
  };
  const options = { encoding: 'utf8' as const, env, maxBuffer: 1 << 28, timeout: 100_000 };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], options);
  expect(status, stderr).toBe(0);
  return stdout;
}

// This node stands in for the vendor: the export knows nothing but the vendor's SDK.
it('moves a namespace as the migration page says: values of any bytes, metadata, expiry, more than a page', async () => {
  const from = await client.namespaces.create('from');
  const expiration = Math.floor(Date.now() / 1000) + 86_400;
  const source = client.namespace('from');
  await source.put('dir/ü %2F?#🚀', new Uint8Array([0, 255, 128]), { metadata: { von: 'Jürgen' }, expiration });
  await source.write(
    Array.from({ length: 1200 }, (_, i) => ({ kind: 'put', key: `many/${i}`, value: `value ${i}` }) as const),
  );
  const dump = join(cluster.folder, 'dump.ndjson');
  writeFileSync(dump, run('deploy/examples/migrate/export-workers-kv.mjs', ['any-account', from.id]));
  await client.namespaces.create('to');
  expect(run(meridianScript, ['import', 'to', dump])).toBe('1201 records imported\n');
  const entries = async (name: string) => {
    const all = [];
    for await (const { name: key, value, metadata, expiration: at } of client.namespace(name).entries()) {
      all.push({ key, value: Buffer.from(value).toString('hex'), metadata, at });
    }
    return all;
  };
  const moved = await entries('to');
  expect(moved).toHaveLength(1201);
  expect(moved).toEqual(await entries('from'));
});
