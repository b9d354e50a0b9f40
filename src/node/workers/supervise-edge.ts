import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EdgeConfig } from '../../config/config.ts';
import type { Address } from '../../config/option.ts';
import { formatAddress } from '../../config/parse-address.ts';
import { MeridianError } from '../../model/errors.ts';
import { claimFolder } from '../claim-folder.ts';
import { Closing } from '../closing.ts';
import type { Outside } from '../outside.ts';
import type { RunningNode } from '../running-node.ts';
import { EdgeProcesses } from './edge-processes.ts';
import type { SharedPorts } from './shares.ts';
import type { Spawn } from './spawn.ts';

/**
 * Runs an edge as several processes:
 *
 *     supervisor (this)  holds the ports, hands connections out in turn, starts again what ends
 *       ├─ keeper        the edge itself: follows the upstreams, keeps the disk, serves the workers on a socket
 *       └─ worker × N    each a cache before the keeper, with the listeners that callers reach
 *
 * A worker is an edge behind an edge, as behind any relay: what it says of its age is proven by the same echoes. Its further
 * upstreams are the edge's own, so it goes on while the keeper is away.
 * @throws as `startEdge`: what keeps any process from its first start ends them all
 */
export async function superviseEdge(config: EdgeConfig, outside: Outside, spawn: Spawn): Promise<RunningNode> {
  const closing = new Closing(outside.logger);
  return closing.orClose(async () => {
    await claimFolder(config.data, 'edge');
    const ports = await portsOf(config);
    // Of this user alone: whoever reaches the socket is not asked who he is.
    const folder = await mkdtemp(join(tmpdir(), 'meridian-'));
    closing.add('folder of the socket', () => rm(folder, { recursive: true, force: true }));
    const processes = new EdgeProcesses({
      ...{ config, ports, socket: join(folder, 'keeper'), spawn, ...outside },
      logger: outside.logger.of('workers'),
    });
    closing.add('processes', () => processes.stop());
    await processes.start();
    return {
      grpcAddress: formatAddress(ports.listen),
      httpAddress: formatAddress(ports.http),
      ...(ports.redis === undefined ? {} : { redisAddress: formatAddress(ports.redis) }),
      stopAsked: processes.stopAsked,
      drain: () => processes.drain(),
      ready: async () => (await processes.status())?.ready === true,
      stop: () => closing.close(),
    };
  });
}

/**
 * Where workers listen. A port that the machine is to choose is chosen once, here: a worker that is started again, when no
 * other runs, would get another one.
 */
async function portsOf({ listen, http, redis }: EdgeConfig): Promise<SharedPorts> {
  return {
    listen: await chosen(listen),
    http: await chosen(http),
    redis: redis === undefined ? undefined : await chosen(redis),
  };
}

async function chosen({ host, port }: Address): Promise<Address> {
  if (port !== 0) return { host, port };
  const server = createServer();
  const free = await new Promise<number>((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `cannot listen on ${host}: ${cause.message}`;
      reject(new MeridianError('UNAVAILABLE', message, { reason: 'cannot-listen', cause }));
    });
    server.listen(0, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return { host, port: free };
}
