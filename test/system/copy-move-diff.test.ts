import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { meridianScript, ProcessCluster, placeOf } from './process-cluster.ts';

/** Two clusters: an origin with an edge that copies, and an origin of its own. */
const cluster = new ProcessCluster();
let [iad, fra, elsewhere]: ChildNode[] = [];
let source: ClusterHandle;
let target: ClusterHandle;

beforeAll(async () => {
  iad = await cluster.start('origin', 'iad');
  fra = await cluster.start('edge', 'fra', { flags: ['--upstream', placeOf(iad.grpc), '--replicate', '*'] });
  elsewhere = await cluster.start('origin', 'elsewhere');
  [source, target] = [cluster.connect(iad), cluster.connect(elsewhere)];
});

afterAll(() => cluster.close());

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function meridian(words: readonly string[], nodeFlags: readonly string[] = []): Promise<Ended> {
  const env = { ...process.env, MERIDIAN_ENDPOINT: iad === undefined ? '' : placeOf(iad.grpc) };
  return new Promise((resolve) => {
    execFile(process.execPath, [...nodeFlags, meridianScript, ...words], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

async function contents(client: ClusterHandle, namespace: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, value, metadataText, expiration } of client.namespace(namespace).entries()) {
    const digest = createHash('sha256').update(value).digest('hex');
    found.push(JSON.stringify([name, digest, metadataText, expiration]));
  }
  return found;
}

const there = () => ['--to-endpoint', elsewhere === undefined ? '' : placeOf(elsewhere.grpc)];
const atEdge = () => ['--to-endpoint', fra === undefined ? '' : placeOf(fra.grpc)];

describe('copy, move and diff between processes', () => {
  it('copies exactly, finds both equal, moves within the cluster, and tells what differs', async () => {
    await source.namespaces.create('flags');
    await target.namespaces.create('flags');
    const flags = source.namespace('flags');
    const expiration = Math.floor(Date.now() / 1000) + 86_400;
    await flags.put('dir/ü %2F🚀', new Uint8Array([0, 255, 128]), { metadataText: '{"n":12345678901234567890}' });
    await flags.put('dir/expires', 'v', { expiration });
    await flags.write(
      Array.from({ length: 2500 }, (_, n) => ({ kind: 'put', key: `many/${n}`, value: `value ${n}` }) as const),
    );

    expect(await meridian(['copy', 'flags', 'flags', ...there()])).toMatchObject({
      code: 0,
      stdout: '2502 keys copied\n',
    });
    expect(await contents(target, 'flags')).toEqual(await contents(source, 'flags'));
    const equal = await meridian(['diff', 'flags', ...there()]);
    expect([equal.code, equal.stdout]).toEqual([0, '']);
    expect(equal.stderr).toContain('0 added, 0 removed, 0 changed, 2502 equal');
    expect(equal.stderr).toMatch(/flags at 127\.0\.0\.1:\d+: at most 0\.000 s old \(origin at iad\)/);

    const moved = await meridian(['move', 'flags', 'flags', '--prefix', 'dir/', '--to-prefix', 'new/', '--json']);
    expect([moved.code, JSON.parse(moved.stdout)]).toEqual([0, { moved: 2 }]);
    const differs = await meridian(['diff', 'flags', '--output', 'yaml', ...there()]);
    expect(differs.code).toBe(1);
    expect(parse(differs.stdout)).toMatchObject([
      { kind: 'added', key: 'dir/expires' },
      { kind: 'added', key: 'dir/ü %2F🚀' },
      { kind: 'removed', key: 'new/expires' },
      { kind: 'removed', key: 'new/ü %2F🚀' },
      { added: 2, removed: 2, changed: 0, equal: 2500 },
    ]);
    const { keys } = await flags.list({ prefix: 'new/expires' });
    expect(keys[0]?.expiration).toBe(expiration);
  });

  it('finds an edge equal to its origin, within the age that it proves, and an export equal to both', async () => {
    const edge = await meridian(['diff', 'flags', ...atEdge()]);
    expect([edge.code, edge.stdout], edge.stderr).toEqual([0, '']);
    expect(edge.stderr).toMatch(/at most \d+\.\d{3} s old \((copy|cache|origin) at fra/);
    const file = join(cluster.folder, 'flags.csv');
    writeFileSync(file, (await meridian(['export', 'flags', '--format', 'csv'])).stdout);
    expect(await meridian(['diff', 'flags', file])).toMatchObject({ code: 0, stdout: '' });
    const away = await meridian(['diff', 'flags', '--to-endpoint', '127.0.0.1:1']);
    expect([away.code, away.stderr]).toEqual([2, expect.stringContaining('UNAVAILABLE')]);
  });

  it('moves values of 25 MiB in a heap of 96 MiB beside its buffers', async () => {
    await source.namespaces.create('large');
    await target.namespaces.create('large');
    const before: string[] = [];
    for (let n = 0; n < 9; n++) {
      const value = randomBytes(25 * 1024 * 1024);
      await source.namespace('large').put(`v/${n}`, value);
      before.push(JSON.stringify([`v/${n}`, createHash('sha256').update(value).digest('hex'), null, null]));
    }
    const peak = join(cluster.folder, 'peak.mjs');
    writeFileSync(peak, 'process.on("exit", () => console.error("peak " + process.resourceUsage().maxRSS));');
    const flags = ['--max-old-space-size=96', '--import', peak];
    const moved = await meridian(['move', 'large', 'large', '--timeout', '60s', ...there()], flags);
    expect([moved.code, moved.stdout], moved.stderr).toEqual([0, '9 keys moved\n']);
    expect(await contents(target, 'large')).toEqual(before);
    expect((await source.namespace('large').list()).keys).toEqual([]);
    const peakKiB = Number(/peak (\d+)/.exec(moved.stderr)?.[1]);
    console.log(`the move of 225 MiB took ${Math.round(peakKiB / 1024)} MiB`);
    // 64 MiB under way, one value read ahead, each twice at most, and the process itself; all at once would be twice 225 MiB.
    expect(peakKiB).toBeLessThan(400 * 1024);
  }, 300_000);
});
