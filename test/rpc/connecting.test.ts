import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { emptySession } from '../../src/model/session.ts';
import { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { answerOf, overLoopback, upstreamWith } from './loopback.ts';

/*
 * A node that does not answer at all when it is connected to: its host is off, a firewall drops what is sent there, or its
 * process hangs, and the system accepts in its name.
 */

const closing: Array<() => unknown> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const never = new AbortController().signal;
const call = () => ({ deadlineMs: systemClock.monotonicMs() + 10_000, signal: never });

function nodeAt(address: string, connectMsMax: number, pipelined = true): RemoteUpstream {
  const node = new RemoteUpstream({ address, clock: systemClock, pipelined, connectMsMax });
  closing.push(() => node.close());
  return node;
}

async function silentNode(connectMsMax = 50, pipelined = true): Promise<RemoteUpstream> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return nodeAt(`127.0.0.1:${(server.address() as AddressInfo).port}`, connectMsMax, pipelined);
}

describe('a node that is silent when it is connected to', () => {
  it('fails calls and streams, which certainly did nothing there, long before their deadlines', async () => {
    const node = await silentNode();
    const asked = { namespace: 'n', session: emptySession };
    const mutations = [{ kind: 'delete', key: 'k' }] as const;
    const failed = { code: 'UNAVAILABLE', details: { reason: 'not-connected' } };
    await expect(node.get({ ...asked, key: 'k' }, call())).rejects.toMatchObject(failed);
    await expect(node.find('n', call())).rejects.toMatchObject(failed);
    await expect(node.write({ ...asked, mutations }, call())).rejects.toMatchObject(failed);
    await expect(node.write({ ...asked, mutations: [...mutations, ...mutations] }, call())).rejects.toMatchObject(
      failed,
    );
    const watched = node.watch({ namespace: 'n', prefix: '', fromStart: false }, never);
    await expect(watched.next()).rejects.toMatchObject(failed);
  });

  it('is left for the next endpoint within one call', async () => {
    const { address, close } = await overLoopback(upstreamWith({ get: async ({ key }) => answerOf(key) }));
    closing.push(close);
    const nodes = [await silentNode(), nodeAt(address, 10_000)];
    const shared = { clock: systemClock, random: systemRandom, timeoutMs: 10_000, sessions: true };
    const cluster = new ClusterHandle({ nodes, ...shared });
    closing.push(() => cluster.close());
    expect(await cluster.namespace('n').get('k')).toBe('k');
  });

  it('is left by the next call where a deadline passes before the connection is given up, however many waited', async () => {
    const { address, close } = await overLoopback(
      upstreamWith({ get: async ({ key }) => answerOf(key), namespaces: async () => [] }),
    );
    closing.push(close);
    for (const pipelined of [true, false]) {
      const nodes = [await silentNode(60_000, pipelined), nodeAt(address, 60_000, pipelined)];
      const cluster = new ClusterHandle({
        nodes,
        clock: systemClock,
        random: systemRandom,
        timeoutMs: 50,
        sessions: true,
      });
      closing.push(() => cluster.close());
      const flags = cluster.namespace('n');
      const late = { code: 'DEADLINE_EXCEEDED' };
      const asked = [flags.get('k'), flags.get('k'), flags.getWithMetadata('k'), flags.getWithMetadata('k')];
      for (const each of await Promise.allSettled(asked)) expect(each).toMatchObject({ reason: late });
      const patient = { timeoutMs: 20_000 };
      expect(await flags.get('k', patient)).toBe('k');
      expect(await cluster.namespaces.list(patient)).toEqual([]);
    }
  });

  it('is no more than a node that is there and takes its time', async () => {
    const late = () => new Promise((resolve) => systemClock.timer(1500, () => resolve(undefined)));
    const get = ({ key }: { readonly key: string }) => late().then(() => answerOf(key));
    const { address, close } = await overLoopback(upstreamWith({ get }));
    closing.push(close);
    const answer = await nodeAt(address, 1000).get({ namespace: 'n', session: emptySession, key: 'k' }, call());
    expect(answer.record?.key).toBe('k');
  });
});
