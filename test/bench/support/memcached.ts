import { Client } from 'memjs';
import { freePort } from '../../support/free-port.ts';
import type { BenchRun } from './bench-run.ts';
import { isInstalled, startServer } from './server-process.ts';

const server = { name: 'memcached', package: 'memcached' };

export function memcachedInstalled(): boolean {
  return isInstalled(server);
}

export async function startMemcached(run: BenchRun): Promise<Client> {
  const port = await freePort();
  const client = Client.create(`127.0.0.1:${port}`);
  run.onEnd(() => client.quit());
  await startServer(run, server, ['-u', 'nobody', '-l', '127.0.0.1', '-p', `${port}`, '-m', '1024'], () =>
    client.set('first', 'x', { expires: 0 }),
  );
  return client;
}
