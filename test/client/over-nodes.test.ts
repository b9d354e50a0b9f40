import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { connect } from '../../src/client/connect.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { RunningNode } from '../../src/node/running-node.ts';
import { startEdge } from '../../src/node/start-edge.ts';
import { startOrigin } from '../../src/node/start-origin.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

const outside = { clock: systemClock, random: systemRandom, logger: silentLogger };
const folder = mkdtempSync(join(tmpdir(), 'meridian-client-'));
const anyPort = { listen: '127.0.0.1:0', http: '127.0.0.1:0' };
/** Nobody listens on the discard port. */
const nobody = '127.0.0.1:9';

let origin: RunningNode;
let edge: RunningNode;
let cluster: ClusterHandle;

beforeAll(async () => {
  const sources = (flags: Record<string, unknown>) => ({ flags: { ...anyPort, ...flags }, env: {}, file: {} });
  origin = await startOrigin(resolveConfig('origin', sources({ data: join(folder, 'origin') })), outside);
  const edgeFlags = { data: join(folder, 'edge'), upstream: [origin.grpcAddress] };
  edge = await startEdge(resolveConfig('edge', sources(edgeFlags)), outside);
  cluster = connect({ endpoints: [nobody, edge.grpcAddress, origin.grpcAddress] });
  await cluster.namespaces.create('flags');
});

afterAll(async () => {
  cluster?.close();
  await edge?.stop();
  await origin?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a client whose first endpoint is dead writes through the next, and reads what it wrote', async () => {
  const flags = cluster.namespace('flags');
  for (let i = 0; i < 20; i++) {
    await flags.put('beta', `${i}`, { metadata: { i } });
    expect(await flags.getWithMetadata('beta')).toMatchObject({ value: `${i}`, metadata: { i } });
  }
});

test.each(['unary', 'pipeline'] as const)(
  'a timeout beyond what timers and gRPC can count ends nothing early, over %s',
  async (protocol) => {
    const patient = connect({ endpoints: [origin.grpcAddress], protocol });
    const flags = patient.namespace('flags');
    await flags.put('patient', 'v', { timeoutMs: 1e15 });
    expect(await flags.get('patient', { timeoutMs: Number.POSITIVE_INFINITY })).toBe('v');
    patient.close();
  },
);

test('a value of many messages survives, and so does an empty one', async () => {
  const flags = cluster.namespace('flags');
  const large = new Uint8Array(9 * 1024 * 1024).map((_, i) => i % 251);
  await flags.put('large', large);
  expect(Buffer.compare(Buffer.from((await flags.get('large', 'arrayBuffer')) ?? new ArrayBuffer(0)), large)).toBe(0);
  await flags.put('empty', '');
  expect(await flags.get('empty')).toBe('');
});

test('several keys with large values come in one call', async () => {
  const flags = cluster.namespace('flags');
  const values = Array.from({ length: 4 }, (_, i) => [`m${i}`, String(i).repeat(2 * 1024 * 1024)] as const);
  for (const [key, value] of values) await flags.put(key, value);
  expect(await flags.get([...values.map(([key]) => key), 'absent'])).toEqual(new Map([...values, ['absent', null]]));
});

test('a condition that is not met names the version found', async () => {
  const flags = cluster.namespace('flags');
  const { written } = await flags.write([{ kind: 'put', key: 'lock', value: 'a', ifAbsent: true }]);
  await expect(flags.put('lock', 'b', { ifAbsent: true })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    details: { versionFound: written[0]?.version },
  });
  await flags.put('lock', 'b', { ifVersion: written[0]?.version ?? '' });
  expect(await flags.get('lock')).toBe('b');
});

test('a watch tells changes in order and goes on behind a cursor', async () => {
  const flags = cluster.namespace('flags');
  const seen: string[] = [];
  let cursor: string | undefined;
  for await (const change of flags.watch({ prefix: 'w/' })) {
    if (change.cursor !== undefined) cursor = change.cursor;
    if (change.kind === 'caught-up') {
      await flags.put('w/a', '1');
      await flags.put('elsewhere', '1');
      await flags.delete('w/a');
    } else if (change.kind !== 'reset') seen.push(`${change.kind} ${change.key}`);
    if (change.kind === 'delete') break;
  }
  expect(seen.at(-1)).toBe('delete w/a');
  expect(seen).not.toContain('put elsewhere');
  await flags.put('w/b', '2');
  for await (const change of flags.watch({ prefix: 'w/', ...(cursor === undefined ? {} : { since: cursor }) })) {
    if (change.kind !== 'put') continue;
    expect(change).toMatchObject({ key: 'w/b' });
    break;
  }
});

test('a session that another handle exported is met at an edge', async () => {
  const writer = connect({ endpoints: [origin.grpcAddress] });
  await writer.namespace('flags').put('shared', 'new');
  const reader = connect({ endpoints: [edge.grpcAddress] });
  reader.session.import(writer.session.export());
  expect(await reader.namespace('flags').get('shared')).toBe('new');
  writer.close();
  reader.close();
});

test('a refusal keeps its code and reason across the wire', async () => {
  const missing = cluster.namespace('no such namespace');
  await expect(missing.get('k')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const flags = cluster.namespace('flags');
  await expect(flags.put('k'.repeat(513), '')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(flags.list({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('status and members are told by the node in use', async () => {
  expect(await cluster.status()).toMatchObject({ ready: true, node: { role: 'edge' } });
  const atOrigin = connect({ endpoints: [origin.grpcAddress] });
  expect((await atOrigin.members()).map(({ role }) => role)).toContain('origin');
  atOrigin.close();
});

test('each node tells in its status how many reads and writes it has had, hits and refusals too', async () => {
  for (const node of [origin, edge]) {
    const own = connect({ endpoints: [node.grpcAddress], sessions: false });
    const flags = own.namespace('flags');
    // An edge reads at its origin by itself, to audit what it holds: then it is counted once more.
    const counted = async () => {
      for (;;) {
        const { reads = Number.NaN, writes = Number.NaN } = await own.status();
        const overHttp = (await (await fetch(`http://${node.httpAddress}/status`)).json()) as { reads: number };
        const { reads: later } = await own.status();
        if (later !== reads) continue;
        expect(overHttp.reads).toBe(reads);
        return { reads, writes };
      }
    };
    await flags.put('counted', 'v');
    const before = await counted();
    for (let n = 0; n < 5; n++) await flags.get('counted');
    await flags.list();
    await flags.write(['a', 'b'].map((key) => ({ kind: 'put' as const, key, value: 'v' })));
    await flags.put('counted', 'w', { ifAbsent: true }).catch(() => {});
    const after = await counted();
    expect(after.writes - before.writes).toBe(2);
    expect(after.reads - before.reads).toBeGreaterThanOrEqual(6);
    // Not twice each.
    expect(after.reads - before.reads).toBeLessThan(12);
    own.close();
  }
});
