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

export type Hosted = Parameters<typeof hostNode>[0];

const at = '127.0.0.1:0';

/** An upstream behind all ports of a node, each one that was free; database 0 is the namespace `flags`. */
export function host(upstream: Hosted, flags: Readonly<Record<string, string>> = {}) {
  const ports = { listen: at, http: at, redis: at, 'redis-database': ['0=flags'] };
  const config = resolveConfig('origin', { flags: { ...ports, ...flags }, env: {}, file: {} });
  const closing = new Closing(silentLogger);
  const metrics = new NodeMetrics({ clock: systemClock, logger: silentLogger });
  closing.add('metrics', async () => metrics.stop());
  return hostNode(upstream, {
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
}
