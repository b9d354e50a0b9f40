import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { freePort, ProcessCluster, placeOf } from './process-cluster.ts';

/** Callers at once, half of whom read and half of whom write. */
const callers = 8;

describe('a rolling restart under load', () => {
  let cluster: ProcessCluster;

  beforeEach(() => {
    cluster = new ProcessCluster();
  });

  afterEach(() => cluster.close());

  it('loses no request of a client that knows two nodes, and no write', async () => {
    const [iadAt, fraAt, edgeAt, otherAt] = await Promise.all([freePort(), freePort(), freePort(), freePort()]).then(
      (ports) => ports.map((port) => `127.0.0.1:${port}`),
    );
    if (iadAt === undefined || fraAt === undefined || edgeAt === undefined || otherAt === undefined)
      throw new Error('four');
    const startOrigin = (name: string, listen: string, peer: string) =>
      cluster.start('origin', name, { listen, flags: name === 'iad' ? [] : ['--peer', peer] });
    const startEdge = (name: string, listen: string) =>
      cluster.start('edge', name, { listen, flags: ['--upstream', iadAt, '--upstream', fraAt, '--replicate', '*'] });
    const nodes = {
      iad: await startOrigin('iad', iadAt, fraAt),
      fra: await startOrigin('fra', fraAt, iadAt),
      edge: await startEdge('edge', edgeAt),
      other: await startEdge('other', otherAt),
    };
    const client = connect({ endpoints: [edgeAt, otherAt], timeoutMs: 20_000 });
    await client.namespaces.create('ns');
    const ns = client.namespace('ns');
    await ns.put('k', '0');
    await expect.poll(() => ns.get('k'), { timeout: 20_000 }).toBe('0');
    const failures: string[] = [];
    const written = new Map<string, string>();
    let [asked, isLoaded] = [0, true];
    const load = Array.from({ length: callers }, async (_, caller) => {
      for (let turn = 0; isLoaded; turn++) {
        asked++;
        const [key, value] = [`c${caller}-${turn % 10}`, `${turn}`];
        try {
          if (caller % 2 === 0) await ns.get('k');
          else {
            await ns.put(key, value);
            written.set(key, value);
          }
        } catch (error) {
          failures.push(
            `${caller % 2 === 0 ? 'get' : 'put'} ${String(error)} ${JSON.stringify((error as { details?: unknown }).details)}`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    const restart = async (stop: () => Promise<unknown>, start: () => Promise<unknown>) => {
      await stop();
      await start();
      await new Promise((resolve) => setTimeout(resolve, 1500));
    };
    await restart(
      () => nodes.edge.stop(),
      () => startEdge('edge', edgeAt),
    );
    await restart(
      () => nodes.other.stop(),
      () => startEdge('other', otherAt),
    );
    await restart(
      () => nodes.fra.stop(),
      () => startOrigin('fra', fraAt, iadAt),
    );
    await restart(
      () => nodes.iad.stop(),
      () => startOrigin('iad', iadAt, fraAt),
    );
    isLoaded = false;
    await Promise.all(load);
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(200);
    const origin = cluster.connect(nodes.iad);
    for (const [key, value] of written) expect(await origin.namespace('ns').get(key), key).toBe(value);
    expect(written.size).toBe((callers / 2) * 10);
    client.close();
    expect(placeOf(nodes.iad.grpc)).toBe(iadAt);
  });
});
