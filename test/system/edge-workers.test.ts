import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import type { ProcessStatus } from '../../src/model/cluster.ts';
import { isMeridianError } from '../../src/model/errors.ts';
import { freePort } from '../support/free-port.ts';
import { meridianScript, metric, ProcessCluster, placeOf } from './process-cluster.ts';

const patience = { timeout: 60_000 };
const adminToken = 'the-administrator-of-the-system-tests';

let cluster: ProcessCluster;
let origin: ChildNode;
let writer: ClusterHandle;

beforeEach(async () => {
  cluster = new ProcessCluster();
  origin = await cluster.start('origin', 'iad');
  writer = cluster.connect(origin);
  await writer.namespaces.create('flags');
});

afterEach(() => cluster.close());

const startEdge = (...flags: string[]) => {
  const shared = ['--upstream', placeOf(origin.grpc), '--workers', '2'];
  return cluster.start('edge', 'fra', { flags: [...shared, ...flags] });
};

async function processes(reader: ClusterHandle): Promise<readonly ProcessStatus[]> {
  return (await reader.status()).processes ?? [];
}

async function pidOf(reader: ClusterHandle, name: string): Promise<number> {
  const { pid = 0 } = (await processes(reader)).find((each) => each.name === name) ?? {};
  expect(pid, `${name} runs`).toBeGreaterThan(0);
  return pid;
}

const isAlive = (pid: number) => spawnSync('kill', ['-0', String(pid)]).status === 0;

/** One connection for each read, so that they come to all workers in turn. */
async function readOverHttp({ http }: ChildNode, key: string): Promise<string> {
  const headers = { connection: 'close', 'meridian-namespace': 'flags' };
  return (await fetch(`http://${placeOf(http)}/${key}`, { headers })).text();
}

/** What the Redis port says to a GET, on a connection of its own. */
function readOverRedis({ redis }: ChildNode, key: string): Promise<string> {
  if (redis === undefined) throw new Error('the edge has a Redis port');
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connectSocket(redis.port, redis.host, () => socket.end(`SELECT 0\r\nGET ${key}\r\n`));
    socket.on('data', (chunk) => {
      said += chunk.toString();
    });
    socket.on('error', reject);
    socket.once('close', () => resolve(said));
  });
}

describe('an edge of several processes', () => {
  it('serves on every port it shares, says who it is made of, and ends them all when it is stopped', async () => {
    await writer.namespace('flags').put('beta', 'on');
    const edge = await startEdge('--replicate', '*', '--redis', '127.0.0.1:0', '--redis-database', '0=flags');
    const readers = Array.from({ length: 4 }, () => cluster.connect(edge));
    const responders = new Set<string>();
    for (const reader of readers) {
      const flags = reader.namespace('flags');
      await expect.poll(() => flags.getWithMetadata('beta').then(({ source }) => source), patience).toBe('cache');
      const { value, responder, staleness } = await flags.getWithMetadata('beta');
      expect([value, typeof staleness]).toEqual(['on', 'number']);
      responders.add(responder);
    }
    expect([...responders].sort()).toEqual(['fra/1', 'fra/2']);
    for (let n = 0; n < 4; n++) {
      expect(await readOverRedis(edge, 'beta')).toBe('+OK\r\n$2\r\non\r\n');
      expect(await readOverHttp(edge, 'beta')).toBe('on');
    }
    const [reader] = readers;
    if (reader === undefined) throw new Error('there are four readers');
    await reader.namespace('flags').put('written', 'here');
    expect(await reader.namespace('flags').get('written')).toBe('here');
    const status = await reader.status();
    expect(status.node).toMatchObject({ name: 'fra', address: placeOf(edge.grpc) });
    expect(status.scopes.map(({ kind }) => kind)).toEqual(['copy']);
    const seen = status.processes ?? [];
    expect(seen.map(({ name, state, ready, restarts }) => ({ name, state, ready, restarts }))).toEqual(
      ['keeper', 'worker-1', 'worker-2'].map((name) => ({ name, state: 'serving', ready: true, restarts: 0 })),
    );
    for (const process of ['keeper', 'worker-1', 'worker-2']) {
      expect(await metric(edge, `meridian_ready{role="edge",process="${process}"}`)).toBe(1);
    }
    expect(await edge.stop()).toBe(0);
    for (const { pid = 0 } of seen) expect(isAlive(pid)).toBe(false);
  });

  it('starts a killed worker again, while the other one answers, and loses no acknowledged write', async () => {
    const edge = await startEdge();
    const reader = cluster.connect(edge);
    const pid = await pidOf(reader, 'worker-1');
    const acknowledged = new Map<string, string>();
    const wrong: string[] = [];
    let stopped = false;
    const client = cluster.connect(edge);
    const loop = async (key: string) => {
      for (let n = 0; !stopped; n++) {
        const value = `${key} ${n}`;
        try {
          await client.namespace('flags').put(key, value);
          acknowledged.set(key, value);
          const read = await client.namespace('flags').get(key);
          if (read !== value) wrong.push(`${key} is ${read} and not ${value}`);
        } catch (error) {
          if (!isMeridianError(error)) throw error; // A write of which nobody knows: the next one takes its place.
        }
      }
    };
    const loops = Array.from({ length: 8 }, (_, n) => loop(`key ${n}`));
    await expect.poll(() => acknowledged.size, patience).toBe(8);
    process.kill(pid, 'SIGKILL');
    const restarts = async () => (await processes(reader).catch(() => [])).find(({ name }) => name === 'worker-1');
    await expect.poll(restarts, patience).toMatchObject({ state: 'serving', restarts: 1 });
    const before = [...acknowledged.values()];
    await expect.poll(() => [...acknowledged.values()].every((value) => !before.includes(value)), patience).toBe(true);
    stopped = true;
    await Promise.all(loops);
    expect(wrong).toEqual([]);
    for (const [key, value] of acknowledged) {
      // What came after the last acknowledged write may have happened all the same.
      const at = await writer.namespace('flags').get(key);
      expect(Number(at?.split(' ')[2])).toBeGreaterThanOrEqual(Number(value.split(' ')[2]));
    }
    expect(await pidOf(reader, 'worker-1')).not.toBe(pid);
  });

  it('goes on without its keeper, with reads and writes and a bound, and takes it back', async () => {
    await writer.namespace('flags').put('beta', 'one');
    const edge = await startEdge('--replicate', '*');
    const reader = cluster.connect(edge);
    const flags = reader.namespace('flags');
    const source = () => flags.getWithMetadata('beta').then((answer) => answer.source);
    await expect.poll(source, patience).toBe('cache');
    const pid = await pidOf(reader, 'keeper');
    process.kill(pid, 'SIGKILL');
    const failed: unknown[] = [];
    const read = async () => {
      const { value, staleness } = await flags.getWithMetadata('beta');
      if (value !== 'one' && value !== 'two') failed.push(value);
      return { value, proven: typeof staleness === 'number' };
    };
    for (let n = 0; n < 200; n++) await read().catch((error: unknown) => failed.push(error));
    expect(failed).toEqual([]);
    await writer.namespace('flags').put('beta', 'two');
    await expect.poll(read, patience).toEqual({ value: 'two', proven: true });
    await flags.put('gamma', 'written');
    expect(await writer.namespace('flags').get('gamma')).toBe('written');
    const keeper = async () => (await processes(reader)).find(({ name }) => name === 'keeper');
    await expect.poll(keeper, patience).toMatchObject({ state: 'serving', restarts: 1, ready: true });
    const followers = async () => (await reader.status()).followers.map(({ name }) => name).sort();
    await expect.poll(followers, patience).toEqual(['fra/1', 'fra/2']);
  });

  it('kills a process that hangs, and starts another one', async () => {
    const edge = await startEdge();
    const reader = cluster.connect(edge);
    const [worker, keeper] = [await pidOf(reader, 'worker-1'), await pidOf(reader, 'keeper')];
    for (const pid of [worker, keeper]) process.kill(pid, 'SIGSTOP');
    // On a connection of its own each time: the one that is there may be at the worker that hangs.
    const running = async () => {
      const asked = { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) };
      const status = (await (await fetch(`http://${placeOf(edge.http)}/status`, asked)).json()) as {
        processes?: ProcessStatus[];
      };
      return status.processes?.map(({ name, state, restarts }) => `${name} ${state} ${restarts}`);
    };
    const again = ['keeper serving 1', 'worker-1 serving 1', 'worker-2 serving 0'];
    await expect.poll(() => running().catch(String), patience).toEqual(again);
    expect([worker, keeper].filter(isAlive)).toEqual([]);
    const log = () => readFileSync(join(cluster.folder, 'fra.log'), 'utf8');
    await expect.poll(() => log().match(/a process of this edge hangs: it is killed/g)?.length).toBe(2);
    expect(await edge.stop()).toBe(0);
  });

  it('is a relay for edges below where it copies', async () => {
    await writer.namespace('flags').put('beta', 'on');
    const relay = await startEdge('--replicate', '*');
    const below = await cluster.start('edge', 'ams', {
      flags: ['--upstream', placeOf(relay.grpc), '--replicate', 'flags'],
    });
    const read = async () => {
      const { value, source } = await cluster.connect(below).namespace('flags').getWithMetadata('beta');
      return [value, source];
    };
    await expect.poll(read, patience).toEqual(['on', 'copy']);
    const second = Math.floor(Date.now() / 1000);
    const digestsAt = async (handle: ClusterHandle) => (await handle.digest({ second })).map(({ digest }) => digest);
    expect(await digestsAt(cluster.connect(relay))).toEqual(await digestsAt(writer));
  });

  it('leaves no process behind where its supervisor is killed', async () => {
    const edge = await startEdge();
    const pids = (await processes(cluster.connect(edge))).map(({ pid = 0 }) => pid);
    expect(pids).toHaveLength(3);
    await edge.kill();
    await expect.poll(() => pids.filter(isAlive), patience).toEqual([]);
    expect(await (await startEdge()).stop()).toBe(0);
  });

  it('keeps folders of as many workers as it has, and leaves those alone of one that runs', async () => {
    const folders = () => readdirSync(join(cluster.folder, 'fra')).filter((name) => name.startsWith('worker-'));
    const edge = await startEdge();
    const taken = cluster.start('edge', 'fra', { flags: ['--upstream', placeOf(origin.grpc), '--workers', '1'] });
    await expect(taken).rejects.toThrow();
    expect(folders()).toEqual(['worker-1', 'worker-2']);
    expect(await edge.stop()).toBe(0);
    const alone = await cluster.start('edge', 'fra', { flags: ['--upstream', placeOf(origin.grpc)] });
    expect(folders()).toEqual([]);
    expect(await alone.stop()).toBe(0);
  });

  it('goes on where nobody reads its log any more', async () => {
    const http = `127.0.0.1:${await freePort()}`;
    const at = ['--data', join(cluster.folder, 'unread'), '--http', http, '--listen', '127.0.0.1:0'];
    const words = ['edge', '--upstream', placeOf(origin.grpc), '--workers', '2', '--log-level', 'http=debug', ...at];
    const edge = spawn(process.execPath, [meridianScript, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      edge.stderr.resume();
      const running = async () => {
        const asked = { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) };
        const status = await (await fetch(`http://${http}/status`, asked)).json();
        const { processes: all = [] } = status as { processes?: ProcessStatus[] };
        return all.map(({ name, state, restarts }) => `${name} ${state} ${restarts}`);
      };
      const all = ['keeper serving 0', 'worker-1 serving 0', 'worker-2 serving 0'];
      await expect.poll(() => running().catch(String), patience).toEqual(all);
      edge.stderr.destroy();
      // Each writes a line for each request.
      for (let n = 0; n < 8; n++) expect(await running()).toEqual(all);
    } finally {
      edge.kill('SIGKILL');
    }
  });

  it('says why it cannot be started, in one line, and leaves nothing behind', async () => {
    const { grpc } = origin;
    const flags = ['--upstream', placeOf(grpc), '--workers', '2', '--listen', placeOf(grpc), '--http', '127.0.0.1:0'];
    const words = ['edge', '--data', join(cluster.folder, 'taken'), ...flags];
    const { status, stderr } = spawnSync(process.execPath, [meridianScript, ...words], { encoding: 'utf8' });
    expect([
      status,
      stderr
        .split('\n')
        .filter((line) => !line.startsWith('{'))
        .join(''),
    ]).toEqual([1, expect.stringMatching(/^meridian: UNAVAILABLE: cannot listen on/)]);
  });
});

describe('an edge of several processes that asks for tokens', () => {
  it('asks at every worker, and passes on in the name of the caller what changes the cluster', async () => {
    const file = join(cluster.folder, 'admin');
    writeFileSync(file, adminToken);
    const tokens = ['--admin-token-file', file, '--token-file', file];
    const guarded = await cluster.start('origin', 'lhr', { flags: tokens });
    const flags = ['--upstream', placeOf(guarded.grpc), '--workers', '2', '--replicate', '*'];
    const issued = await cluster
      .connect(guarded, { token: adminToken })
      .tokens.create({ name: 'edges', namespace: '*', prefix: '', rights: ['replicate'] });
    const edge = await cluster.start('edge', 'ams', {
      flags: [...flags, '--admin-token-file', file],
      env: { MERIDIAN_TOKEN: issued.text },
    });
    for (let n = 0; n < 4; n++) {
      await expect(cluster.connect(edge).namespace('made').get('k')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
    const admin = cluster.connect(edge, { token: adminToken });
    await admin.namespaces.create('made');
    await admin.namespace('made').put('k', 'v');
    for (let n = 0; n < 4; n++) {
      expect(await cluster.connect(edge, { token: adminToken }).namespace('made').get('k')).toBe('v');
    }
    // What the edge itself may do is less: the origin decided by the caller's own token.
    const asEdge = cluster.connect(edge, { token: issued.text });
    await expect(asEdge.namespaces.create('other')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  it('speaks TLS at every worker, with the certificate of the edge', async () => {
    const folder = join(cluster.folder, 'ca');
    const ca = (...words: string[]) => {
      return spawnSync(process.execPath, [meridianScript, 'ca', ...words, '--dir', folder]).status;
    };
    expect([ca('init'), ca('issue', 'nodes')]).toEqual([0, 0]);
    const pem = (name: string) => join(folder, `${name}.pem`);
    const tls = ['--tls-cert', pem('nodes'), '--tls-key', pem('nodes-key'), '--tls-ca', pem('ca')];
    const encrypted = await cluster.start('origin', 'lhr', { flags: tls });
    const trusting = { tls: { ca: readFileSync(pem('ca')) } };
    await cluster.connect(encrypted, trusting).namespaces.create('flags');
    await cluster.connect(encrypted, trusting).namespace('flags').put('beta', 'on');
    const edge = await cluster.start('edge', 'ams', {
      flags: ['--upstream', placeOf(encrypted.grpc), '--workers', '2', '--replicate', '*', ...tls],
    });
    for (let n = 0; n < 4; n++) {
      expect(await cluster.connect(edge, trusting).namespace('flags').get('beta')).toBe('on');
    }
    const inTheClear = cluster.connect(edge, { timeoutMs: 2000 }).namespace('flags');
    await expect(inTheClear.get('beta')).rejects.toMatchObject({ name: 'MeridianError' });
  });
});
