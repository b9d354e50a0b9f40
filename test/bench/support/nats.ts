import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { freePort } from '../../support/free-port.ts';
import type { BenchRun } from './bench-run.ts';
import { until } from './meridian-nodes.ts';
import { folderOf, isInstalled, startServer } from './server-process.ts';

const server = { name: 'nats-server', package: 'nats-server' };
const bucket = 'bench';

/** A bucket where it is written, and as a node far from there reads it. */
export interface NatsPair {
  readonly at: KV;
  readonly mirror: KV;
}

export function natsInstalled(): boolean {
  return isInstalled(server);
}

/** A hub with a bucket, and a leaf node with a mirror of it, which answers by itself (`mirror_direct`). */
export async function startNatsPair(run: BenchRun): Promise<NatsPair> {
  const leafPort = await freePort();
  const hub = await startNats(run, 'hub', `leafnodes { listen: "127.0.0.1:${leafPort}" }`);
  const leaf = await startNats(run, 'leaf', `leafnodes { remotes: [{ url: "nats://127.0.0.1:${leafPort}" }] }`);
  const at = await new Kvm(jetstream(hub)).create(bucket, { history: 1 });
  const streams = (await jetstreamManager(leaf)).streams;
  await streams.add({
    name: `KV_${bucket}`,
    mirror: { name: `KV_${bucket}`, external: { api: '$JS.hub.API', deliver: '' } },
    mirror_direct: true,
    allow_direct: true,
    max_msgs_per_subject: 1,
  });
  const mirror = await new Kvm(jetstream(leaf)).open(bucket, { allow_direct: true, bindOnly: true });
  await at.put('first', 'x');
  await until(async () => (await mirror.get('first')) !== null, 'the mirror follows');
  return { at, mirror };
}

async function startNats(run: BenchRun, name: string, leafnodes: string): Promise<NatsConnection> {
  const port = await freePort();
  const folder = folderOf(run, `nats-${name}`);
  const file = join(run.folder, `nats-${name}.conf`);
  const lines = [`listen: "127.0.0.1:${port}"`, `jetstream { store_dir: "${folder}", domain: ${name} }`, leafnodes];
  writeFileSync(file, `${lines.join('\n')}\n`);
  let connection: NatsConnection | undefined;
  await startServer(run, server, ['-c', file], async () => {
    connection = await connect({ servers: `127.0.0.1:${port}` });
    return true;
  });
  const connected = connection;
  if (connected === undefined) throw new Error('nats-server answers nobody');
  run.onEnd(() => connected.close());
  return connected;
}
