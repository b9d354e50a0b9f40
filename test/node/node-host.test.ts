import { connect as connectSocket } from 'node:net';
import { expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import { openEntrance } from '../../src/model/entrance.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { Closing } from '../../src/node/closing.ts';
import { hostNode } from '../../src/node/node-host.ts';
import { Draining } from '../../src/runtime/draining.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

const at = '127.0.0.1:0';
const drainTimeoutMs = 1_000;

/** A node of which no call is ever answered, and how many it has. */
async function hostSilent() {
  let calls = 0;
  const get = (): Promise<never> => {
    calls++;
    return new Promise(() => {});
  };
  const upstream = { peek: () => undefined, get, status: () => Promise.reject(new Error('silent')) };
  const flags = {
    listen: at,
    http: at,
    redis: at,
    'redis-database': ['0=flags'],
    'drain-timeout': `${drainTimeoutMs}ms`,
  };
  const config = resolveConfig('origin', { flags, env: {}, file: {} });
  const closing = new Closing(silentLogger);
  const metrics = new NodeMetrics({ clock: systemClock, logger: silentLogger });
  closing.add('metrics', async () => metrics.stop());
  const node = await hostNode(upstream as unknown as Parameters<typeof hostNode>[0], {
    ...config,
    ...{ closing, metrics, draining: new Draining() },
    outside: { clock: systemClock, random: systemRandom, logger: silentLogger },
    access: {
      asksForTokens: false,
      credential: () => undefined,
      entranceOf: (served: Upstream) => openEntrance(served),
    },
    nodeTls: { client: () => undefined, expiries: () => new Map() },
    expiryClock: { nowMs: () => systemClock.wallMs() },
  });
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
