import { connect as connectSocket } from 'node:net';
import { expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { type Hosted, host } from './hosted.ts';

/** Long beside what a busy machine adds to it. */
const drainTimeoutMs = 3_000;

/** A node of which no call is ever answered, and how many it has. */
async function hostSilent() {
  let calls = 0;
  const get = (): Promise<never> => {
    calls++;
    return new Promise(() => {});
  };
  const upstream = { peek: () => undefined, get, status: () => Promise.reject(new Error('silent')) };
  const node = await host(upstream as unknown as Hosted, { 'drain-timeout': `${drainTimeoutMs}ms` });
  return { node, calls: () => calls };
}

it('a node that is stopped waits as long for the calls of all its ports as for those of one', async () => {
  const { node, calls } = await hostSilent();
  const client = connect({ endpoints: [node.grpcAddress], timeoutMs: 30_000 });
  const cut = [
    client.namespace('flags').get('k'),
    fetch(`http://${node.httpAddress}/k`, { headers: { 'meridian-namespace': 'flags' } }),
  ].map((asked) => asked.catch(() => {}));
  const [host, port] = (node.redisAddress ?? '').split(':');
  const socket = connectSocket(Number(port), host).on('error', () => {});
  socket.write('GET k\r\n');
  await expect.poll(calls).toBe(3);
  const beganMs = performance.now();
  await node.stop();
  const tookMs = performance.now() - beganMs;
  client.close();
  socket.destroy();
  await Promise.all(cut);
  expect(tookMs).toBeGreaterThan(drainTimeoutMs - 10);
  expect(tookMs).toBeLessThan(2 * drainTimeoutMs);
});
