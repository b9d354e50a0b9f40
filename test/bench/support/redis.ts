import { Redis } from 'ioredis';
import { freePort } from '../../support/free-port.ts';
import type { BenchRun } from './bench-run.ts';
import { until } from './meridian-nodes.ts';
import { folderOf, isInstalled, startServer } from './server-process.ts';

const server = { name: 'redis-server', package: 'redis-server' };

/** False where redis-server is not installed, which is said. */
export function redisInstalled(): boolean {
  return isInstalled(server);
}

/** A Redis of its own in a folder of its own, without snapshots. Returns its port. */
export async function startRedis(run: BenchRun, name: string, flags: readonly string[] = []): Promise<number> {
  const port = await freePort();
  const own = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folderOf(run, name), '--save', ''];
  const client = redisClient(run, port);
  await startServer(run, server, [...own, '--daemonize', 'no', ...flags], async () => (await client.ping()) === 'PONG');
  return port;
}

/** A primary and a replica that is in step with it. */
export async function startRedisPair(run: BenchRun): Promise<{ readonly primary: number; readonly replica: number }> {
  const primary = await startRedis(run, 'redis-primary', ['--repl-diskless-sync-delay', '0']);
  const replica = await startRedis(run, 'redis-replica', ['--replicaof', '127.0.0.1', `${primary}`]);
  const client = redisClient(run, replica);
  await until(async () => (await client.info('replication')).includes('master_link_status:up'), 'the replica follows');
  return { primary, replica };
}

export function redisClient(run: BenchRun, port: number, enableAutoPipelining = false): Redis {
  const client = new Redis({ port, host: '127.0.0.1', enableAutoPipelining });
  client.on('error', () => {}); // It tries again, and who waits for it has a deadline.
  run.onEnd(() => client.disconnect());
  return client;
}
