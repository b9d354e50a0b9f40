import { spawn, spawnSync } from 'node:child_process';
import { RespClient } from '../../../resp/served.ts';
import { freePort } from '../../../support/free-port.ts';

/** Debian's packages redis-server and redis-tools, or any other Redis of version 7 on the path. */
export const hasRedis = ['redis-server', 'redis-cli', 'redis-benchmark'].every(
  (program) => spawnSync(program, ['--version']).status === 0,
);
if (!hasRedis) console.warn("SKIPPED: needs redis-server, redis-cli and redis-benchmark (Debian's redis)");

export interface RunningRedis {
  readonly port: number;
  close(): Promise<void>;
}

/** A Redis of its own that keeps nothing, unless it is told to save. */
export async function startRedis(more: readonly string[] = []): Promise<RunningRedis> {
  const port = await freePort();
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...more];
  const child = spawn('redis-server', flags, { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let attempt = 0; ; attempt++) {
    try {
      const client = await RespClient.connect(port);
      await client.ask('PING');
      client.socket.destroy();
      break;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return {
    port,
    close: async () => {
      child.kill();
      await exited;
    },
  };
}
