import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { connect } from '../../src/client/connect.ts';
import { freePort } from '../support/free-port.ts';
import { ClientLoad } from './client-load.ts';
import { meridianScript, ProcessCluster } from './process-cluster.ts';

const meridian = (...words: string[]) => promisify(execFile)(process.execPath, [meridianScript, ...words]);

describe('a rolling restart under load', () => {
  let cluster: ProcessCluster;
  let load: ClientLoad | undefined;

  beforeEach(() => {
    cluster = new ProcessCluster();
  });

  afterEach(async () => {
    await load?.close();
    await cluster.close();
  });

  it.each([
    ['by SIGTERM', (node: ChildNode) => node.stop(), ''],
    [
      'through meridian drain',
      async (node: ChildNode, at: string) => {
        const { stdout } = await meridian('drain', '--stop', '--endpoint', at);
        // The process ends by itself.
        await expect.poll(() => node.exitCode, { timeout: 20_000 }).toBe(0);
        return stdout;
      },
      'is drained and stops\n',
    ],
  ] as const)('%s loses no request of a client that knows two nodes, and no write', async (_, stop, said) => {
    const names = ['iad', 'fra', 'edge', 'other'] as const;
    const ports = await Promise.all(names.map(() => freePort()));
    const places = Object.fromEntries(names.map((name, index) => [name, `127.0.0.1:${ports[index]}`]));
    const at = (name: (typeof names)[number]) => places[name] ?? '';
    const start = (name: (typeof names)[number]) => {
      const flags = {
        iad: cluster.folderIsNew('iad') ? [] : ['--peer', at('fra')],
        fra: ['--peer', at('iad')],
        edge: ['--upstream', at('iad'), '--upstream', at('fra'), '--replicate', '*'],
        other: ['--upstream', at('iad'), '--upstream', at('fra')],
      };
      const role = name === 'iad' || name === 'fra' ? 'origin' : 'edge';
      return cluster.start(role, name, { listen: at(name), flags: flags[name] });
    };
    const nodes = new Map<string, ChildNode>();
    for (const name of names) nodes.set(name, await start(name));
    const client = connect({ endpoints: [at('edge'), at('other')], timeoutMs: 20_000 });
    await client.namespaces.create('ns');
    await client.namespace('ns').put('k', '0');
    await expect.poll(() => client.namespace('ns').get('k'), { timeout: 20_000 }).toBe('0');
    load = new ClientLoad(client, 'ns');
    load.start();
    for (const name of ['edge', 'other', 'fra', 'iad'] as const) {
      const node = nodes.get(name);
      if (node === undefined) throw new Error(name);
      const words = await stop(node, at(name));
      if (said !== '') expect(words).toBe(`${name} ${said}`);
      const again = await start(name);
      nodes.set(name, again);
      // As whoever restarts nodes one by one does: the next one once this one is ready.
      await expect
        .poll(() => fetch(`http://127.0.0.1:${again.http.port}/readyz`).then(({ status }) => status), {
          timeout: 30_000,
        })
        .toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    await load.settle();
    expect(load.failures).toEqual([]);
    expect(load.asked).toBeGreaterThan(100);
    expect(load.written.size).toBe(40);
    const seen = load;
    await expect.poll(() => seen.unseen(), { timeout: 20_000 }).toEqual([]);
    for (const name of ['iad', 'fra'] as const) {
      const origin = connect({ endpoints: [at(name)], timeoutMs: 20_000 });
      const now = async () => {
        const values = await Promise.all([...seen.written].map(([key]) => origin.namespace('ns').get(key)));
        return values;
      };
      await expect.poll(now, { timeout: 20_000 }).toEqual([...seen.written.values()]);
      origin.close();
    }
    await load.close();
    client.close();
  });
});
