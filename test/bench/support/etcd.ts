import { Etcd3 } from 'etcd3';
import { freePort } from '../../support/free-port.ts';
import type { BenchRun } from './bench-run.ts';
import { folderOf, isInstalled, startServer } from './server-process.ts';

const server = { name: 'etcd', package: 'etcd-server' };

export function etcdInstalled(): boolean {
  return isInstalled(server);
}

/** One member alone. */
export async function startEtcd(run: BenchRun): Promise<Etcd3> {
  const [clients, peers] = [await freePort(), await freePort()];
  const [at, peer] = [`http://127.0.0.1:${clients}`, `http://127.0.0.1:${peers}`];
  const client = new Etcd3({ hosts: at });
  run.onEnd(() => client.close());
  const own = ['--data-dir', folderOf(run, 'etcd'), '--log-level', 'error'];
  const places = ['--listen-client-urls', at, '--advertise-client-urls', at, '--listen-peer-urls', peer];
  const cluster = ['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`];
  await startServer(run, server, [...own, ...places, ...cluster], async () => {
    await client.put('first').value('x');
    return true;
  });
  return client;
}
