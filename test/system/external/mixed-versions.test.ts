import { execFile } from 'node:child_process';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../../src/client/cluster-handle.ts';
import { connect } from '../../../src/client/connect.ts';
import { freePort } from '../../support/free-port.ts';
import { ClientLoad } from '../client-load.ts';
import { meridianScript, ProcessCluster } from '../process-cluster.ts';
import { type PreviousBuild, previousBuild } from './previous-build.ts';

const patience = { timeout: 60_000, interval: 200 };
let previous: PreviousBuild | undefined;

beforeAll(() => {
  previous = previousBuild();
}, 300_000);

type Age = 'old' | 'new';
type Name = 'iad' | 'fra' | 'edge' | 'cache';

/** Two origins and two edges, one that copies everything and one that caches, each of the version that is asked for. */
class MixedCluster {
  readonly processes = new ProcessCluster();
  readonly #places = new Map<Name, string>();
  readonly #nodes = new Map<Name, ChildNode>();

  at(name: Name): string {
    return this.#places.get(name) ?? '';
  }

  async startAll(ages: Readonly<Record<Name, Age>>): Promise<void> {
    for (const name of ['iad', 'fra', 'edge', 'cache'] as const) {
      this.#places.set(name, `127.0.0.1:${await freePort()}`);
    }
    for (const name of ['iad', 'fra', 'edge', 'cache'] as const) await this.start(name, ages[name]);
  }

  async start(name: Name, age: Age): Promise<void> {
    const upstreams = ['--upstream', this.at('iad'), '--upstream', this.at('fra')];
    const flags = {
      iad: this.processes.folderIsNew('iad') ? [] : ['--peer', this.at('fra')],
      fra: ['--peer', this.at('iad')],
      edge: [...upstreams, '--replicate', '*'],
      cache: upstreams,
    };
    const script = age === 'old' ? (previous?.script ?? '') : meridianScript;
    const role = name === 'iad' || name === 'fra' ? 'origin' : 'edge';
    const node = await this.processes.start(role, name, { listen: this.at(name), flags: flags[name], script });
    this.#nodes.set(name, node);
    const { port } = node.http;
    const ready = () => fetch(`http://127.0.0.1:${port}/readyz`).then(({ status }) => status);
    await expect.poll(ready, patience).toBe(200);
  }

  /** Drains it, and starts it again over the same data as another version. */
  async replace(name: Name, age: Age): Promise<void> {
    const words = [meridianScript, 'drain', '--stop', '--endpoint', this.at(name)];
    const { stderr, status } = await new Promise<{ stderr: string; status: number }>((resolve) => {
      execFile(process.execPath, words, (error, _stdout, said) => {
        resolve({ stderr: said, status: typeof error?.code === 'number' ? error.code : 0 });
      });
    });
    // A version from before there was a drain is told by a signal.
    if (stderr.includes('UNIMPLEMENTED')) await this.#nodes.get(name)?.stop();
    else expect([status, stderr]).toEqual([0, '']);
    await expect.poll(() => this.#nodes.get(name)?.exitCode, patience).toBe(0);
    await this.start(name, age);
  }

  client(...names: readonly Name[]): ClusterHandle {
    return connect({ endpoints: names.map((name) => this.at(name)), timeoutMs: 20_000 });
  }

  /** Of all who hold everything, at one second. */
  async digests(): Promise<readonly (string | undefined)[]> {
    const second = Math.floor(Date.now() / 1000);
    const holders = (['iad', 'fra', 'edge'] as const).map((name) => this.client(name));
    const told = await Promise.all(holders.map((holder) => holder.digest({ second })));
    for (const holder of holders) holder.close();
    return told.map((scopes) => scopes.find(({ title }) => title === 'ns')?.digest);
  }

  close(): Promise<void> {
    return this.processes.close();
  }
}

describe('a cluster of this version and the one before', () => {
  let cluster: MixedCluster | undefined;
  let load: ClientLoad | undefined;

  afterEach(async () => {
    await load?.close();
    await cluster?.close();
  });

  it.each([
    ['old origins, new edges', { iad: 'old', fra: 'old', edge: 'new', cache: 'new' }],
    ['new origins, old edges', { iad: 'new', fra: 'new', edge: 'old', cache: 'old' }],
    ['origins of both, edges of both', { iad: 'old', fra: 'new', edge: 'new', cache: 'old' }],
    ['the other way round', { iad: 'new', fra: 'old', edge: 'old', cache: 'new' }],
  ] as const)('loses no request, and all hold the same: %s', async (_, ages) => {
    if (previous === undefined) return;
    cluster = new MixedCluster();
    await cluster.startAll(ages);
    load = await loaded(cluster);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    await settled(cluster, load);
  });

  it('becomes one of this version, node by node under load, and can go back', async () => {
    if (previous === undefined) return;
    cluster = new MixedCluster();
    await cluster.startAll({ iad: 'old', fra: 'old', edge: 'old', cache: 'old' });
    load = await loaded(cluster);
    for (const name of ['edge', 'cache', 'fra', 'iad'] as const) await cluster.replace(name, 'new');
    for (const name of ['iad', 'edge'] as const) await cluster.replace(name, 'old');
    await settled(cluster, load);
  }, 400_000);

  async function loaded(mixed: MixedCluster): Promise<ClientLoad> {
    const client = mixed.client('edge', 'cache');
    await client.namespaces.create('ns');
    await client.namespace('ns').put('k', '0');
    await expect.poll(() => client.namespace('ns').get('k'), patience).toBe('0');
    const started = new ClientLoad(client, 'ns');
    started.start();
    return started;
  }

  /** Ends the load: nothing failed, the watch told everything, and each node answers and holds what was written last. */
  async function settled(mixed: MixedCluster, under: ClientLoad): Promise<void> {
    await under.settle();
    expect(under.failures).toEqual([]);
    expect(under.asked).toBeGreaterThan(100);
    await expect.poll(() => under.unseen(), patience).toEqual([]);
    await under.close();
    for (const name of ['iad', 'fra', 'edge', 'cache'] as const) {
      const ns = mixed.client(name).namespace('ns');
      const values = () => Promise.all([...under.written.keys()].map((key) => ns.get(key)));
      await expect.poll(values, patience).toEqual([...under.written.values()]);
      const live = [...under.written].flatMap(([key, value]) => (value === null ? [] : [key]));
      const listed = async () => (await ns.list()).keys.map((key) => key.name);
      await expect.poll(listed, patience).toEqual([...live, 'k'].sort());
    }
    const different = async () => new Set(await mixed.digests()).size;
    await expect.poll(different, patience).toBe(1);
    expect((await mixed.digests())[0]).toMatch(/^[0-9a-f]{64}$/);
  }
});
