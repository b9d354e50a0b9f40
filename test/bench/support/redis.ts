import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../support/free-port.ts';
import type { BenchRun } from './bench-run.ts';
import { until } from './meridian-nodes.ts';

/** False where redis-server is not installed, which is said. */
export function redisInstalled(): boolean {
  const found = spawnSync('redis-server', ['--version']).status === 0;
  if (!found) console.log('  MISSING PEER: redis-server is not installed (apt-get install redis-server)');
  return found;
}

/** A Redis of its own in a folder of its own, without snapshots. Returns its port. */
export async function startRedis(run: BenchRun, name: string, flags: readonly string[] = []): Promise<number> {
  const port = await freePort();
  const dir = join(run.folder, name);
  mkdirSync(dir);
  const own = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--daemonize', 'no'];
  const child = spawn('redis-server', [...own, ...flags], { stdio: 'ignore' });
  const orphaned = () => child.kill('SIGKILL');
  process.once('exit', orphaned);
  run.onEnd(() => {
    process.off('exit', orphaned);
    child.kill('SIGKILL');
  });
  const client = redisClient(run, port);
  await until(async () => (await client.ping()) === 'PONG', 'Redis answers');
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
