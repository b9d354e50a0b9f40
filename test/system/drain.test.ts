import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { freePort } from '../support/free-port.ts';
import { meridianScript, ProcessCluster, placeOf } from './process-cluster.ts';

const patience = { timeout: 30_000 };
let cluster: ProcessCluster;

beforeEach(() => {
  cluster = new ProcessCluster();
});

afterEach(() => cluster.close());

/** Runs the command to its end, whatever that is. */
function meridian(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [meridianScript, ...words], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

const readyz = async ({ http }: ChildNode) => (await fetch(`http://${placeOf(http)}/readyz`)).status;

/** Two origins that know each other. */
async function startOrigins(): Promise<readonly [ChildNode, ChildNode]> {
  const [iadAt, fraAt] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const iad = await cluster.start('origin', 'iad', { listen: iadAt });
  const fra = await cluster.start('origin', 'fra', { listen: fraAt, flags: ['--peer', iadAt] });
  await cluster.connect(iad).namespaces.create('flags');
  await expect.poll(() => readyz(fra), patience).toBe(200);
  return [iad, fra];
}

describe('a node that is drained', () => {
  it('is not ready, refuses gRPC calls as never begun, and answers HTTP without keeping the connection', async () => {
    const [iad] = await startOrigins();
    const client = cluster.connect(iad);
    await client.namespace('flags').put('beta', 'on');
    const drained = await meridian('drain', '--endpoint', placeOf(iad.grpc));
    expect(drained).toEqual({ code: 0, stdout: 'iad is drained\n', stderr: '' });
    expect(await readyz(iad)).toBe(503);
    const status = await client.status();
    expect([status.ready, status.notes[0]]).toEqual([
      false,
      'it is drained: it takes no new traffic until it is started again',
    ]);
    const refused = { code: 'UNAVAILABLE', details: { reason: 'drained' } };
    await expect(client.namespace('flags').put('beta', 'off')).rejects.toMatchObject(refused);
    await expect(client.namespace('flags').get('beta')).rejects.toMatchObject(refused);
    const response = await fetch(`http://${placeOf(iad.http)}/beta`, { headers: { 'meridian-namespace': 'flags' } });
    expect([await response.text(), response.headers.get('connection')]).toEqual(['on', 'close']);
    // Asked again it says the same.
    expect((await meridian('drain', '--endpoint', placeOf(iad.grpc), '--json')).stdout).toMatch(
      /^\{"name":"iad","id":"[0-9a-f]{16}","drained":true,"stopped":false\}\n$/,
    );
  });

  it('hands its followers and watches to another upstream, and stays with its peers', async () => {
    const [iad, fra] = await startOrigins();
    const flags = ['--upstream', placeOf(iad.grpc), '--upstream', placeOf(fra.grpc), '--replicate', '*'];
    const edge = await cluster.start('edge', 'edge', { flags });
    const reader = cluster.connect(edge);
    const upstreamOf = async () => (await reader.status()).scopes.find(({ kind }) => kind === 'copy')?.upstream;
    await expect.poll(upstreamOf, patience).toBe(placeOf(iad.grpc));
    const seen: string[] = [];
    const ending = new AbortController();
    const both = cluster.connect(iad, { endpoints: [placeOf(iad.grpc), placeOf(fra.grpc)] });
    const watching = (async () => {
      const changes = both.namespace('flags').watch({ fromStart: true, signal: ending.signal });
      for await (const change of changes) if (change.kind === 'put') seen.push(change.key);
    })();
    await both.namespace('flags').put('before', '1');
    await expect.poll(() => seen, patience).toEqual(['before']);
    expect((await meridian('drain', '--endpoint', placeOf(iad.grpc))).code).toBe(0);
    await expect.poll(upstreamOf, patience).toBe(placeOf(fra.grpc));
    await both.namespace('flags').put('after', '2');
    await expect.poll(() => seen, patience).toEqual(['before', 'after']);
    await expect.poll(() => reader.namespace('flags').get('after'), patience).toBe('2');
    // What the other origin wrote comes to the one that is drained, over HTTP too.
    const written = async () =>
      (await fetch(`http://${placeOf(iad.http)}/after`, { headers: { 'meridian-namespace': 'flags' } })).text();
    await expect.poll(written, patience).toBe('2');
    ending.abort();
    await watching;
  });

  it('ends its process with --stop, and the other origin has all that it acknowledged', async () => {
    const [iad, fra] = await startOrigins();
    const client = cluster.connect(iad);
    const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
    await Promise.all(keys.map((key) => client.namespace('flags').put(key, key)));
    const { code, stdout } = await meridian('drain', '--stop', '--endpoint', placeOf(iad.grpc));
    expect([code, stdout]).toEqual([0, 'iad is drained and stops\n']);
    await expect.poll(() => iad.exitCode, patience).toBe(0);
    const held = cluster.connect(fra).namespace('flags');
    expect(await Promise.all(keys.map((key) => held.get(key)))).toEqual(keys);
  });

  it('says what it waits for where that does not end in time, and stops all the same with --stop', async () => {
    const [iad, fra] = await startOrigins();
    await fra.kill();
    // It waits for the other origin, which is gone.
    const waiting = cluster.connect(iad).namespace('flags').put('beta', 'on', { durability: 'all', timeoutMs: 60_000 });
    const ended = waiting.catch((error: unknown) => error);
    const status = cluster.connect(iad);
    await expect.poll(() => status.namespace('flags').get('beta'), patience).toBe('on');
    const at = ['--endpoint', placeOf(iad.grpc)];
    const message = 'iad takes no new traffic, and after 500 ms there are still 1 calls under way';
    const late = await meridian('drain', ...at, '--wait', '500ms');
    expect([late.code, late.stderr]).toEqual([1, `meridian: DEADLINE_EXCEEDED: ${message}\n`]);
    const several = await meridian('drain', ...at, '--endpoint', '127.0.0.1:1');
    expect([several.code, several.stderr]).toEqual([
      2,
      'meridian: drain takes one node out of traffic: give one --endpoint\n',
    ]);
    const stopped = await meridian('drain', ...at, '--stop', '--wait', '500ms');
    expect(stopped.stderr).toContain(`${message}\n`);
    await expect.poll(() => iad.exitCode, patience).toBe(0);
    await ended;
  });

  it('is drained by an administrator alone', async () => {
    const admin = join(cluster.folder, 'admin');
    writeFileSync(admin, 'the-administrator-of-the-drain\n');
    const iad = await cluster.start('origin', 'iad', { flags: ['--admin-token-file', admin] });
    const at = ['--endpoint', placeOf(iad.grpc)];
    const words = ['--name', 'app', '--rights', 'read,write,list,watch,status'];
    const { stdout: token } = await meridian('token', 'create', ...at, '--token-file', admin, ...words);
    const refused = await meridian('drain', ...at, '--token', token.trim());
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^meridian: PERMISSION_DENIED: /)]);
    expect(await readyz(iad)).toBe(200);
    expect((await meridian('drain', ...at, '--token-file', admin)).code).toBe(0);
    expect(await readyz(iad)).toBe(503);
  });

  it('is all processes of an edge that has several, one that is started again too', async () => {
    const iad = await cluster.start('origin', 'iad');
    await cluster.connect(iad).namespaces.create('flags');
    const flags = ['--upstream', placeOf(iad.grpc), '--workers', '2'];
    const edge = await cluster.start('edge', 'edge', { flags });
    const reader = cluster.connect(edge);
    await expect.poll(() => readyz(edge), patience).toBe(200);
    expect(await meridian('drain', '--endpoint', placeOf(edge.grpc))).toMatchObject({ code: 0, stderr: '' });
    const workers = async () => ((await reader.status()).processes ?? []).filter(({ name }) => name !== 'keeper');
    const states = async () => (await workers()).map(({ state, ready }) => `${state} ${ready}`);
    expect(await states()).toEqual(['serving false', 'serving false']);
    const [{ pid = 0 } = {}] = await workers();
    expect(pid).toBeGreaterThan(0);
    process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await workers())[0]?.restarts, patience).toBe(1);
    await expect.poll(states, patience).toEqual(['serving false', 'serving false']);
    const stopped = await meridian('drain', '--endpoint', placeOf(edge.grpc), '--stop');
    expect(stopped).toEqual({ code: 0, stdout: 'edge is drained and stops\n', stderr: '' });
    await expect.poll(() => edge.exitCode, patience).toBe(0);
  });
});
