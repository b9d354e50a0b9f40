import type { BenchRun } from './bench-run.ts';
import { etcdInstalled, startEtcd } from './etcd.ts';
import { memcachedInstalled, startMemcached } from './memcached.ts';
import { until } from './meridian-nodes.ts';
import { natsInstalled, startNatsPair } from './nats.ts';
import { redisClient, redisInstalled, startRedisPair } from './redis.ts';

/** What is asked beside Meridian, each through its own client for Node.js. */
export interface Peer {
  readonly name: string;
  put(key: string, value: Buffer): Promise<unknown>;
  /** As text, where the client gives a text by default. */
  get(key: string): Promise<unknown>;
  /** As bytes; undefined where `get` gives bytes. */
  readonly getBytes?: (key: string) => Promise<unknown>;
}

/** All that are installed. */
export async function startPeers(run: BenchRun): Promise<readonly Peer[]> {
  const starts = [redisPeers, natsPeers, etcdPeers, memcachedPeers];
  const peers: Peer[] = [];
  for (const start of starts) peers.push(...(await start(run)));
  return peers;
}

/** A primary that is written and a replica that is read, command by command and with auto-pipelining. */
export async function redisPeers(run: BenchRun): Promise<readonly Peer[]> {
  if (!redisInstalled()) return [];
  const { primary, replica } = await startRedisPair(run);
  const at = redisClient(run, primary);
  const [plain, auto] = [redisClient(run, replica), redisClient(run, replica, true)];
  const put = (key: string, value: Buffer) => at.set(key, value);
  return [
    { name: 'Redis', put, get: (key) => plain.get(key), getBytes: (key) => plain.getBuffer(key) },
    { name: 'Redis, auto-pipelining', put, get: (key) => auto.get(key), getBytes: (key) => auto.getBuffer(key) },
  ];
}

/** The bucket at its hub is written, the leaf node's mirror is read. */
export async function natsPeers(run: BenchRun): Promise<readonly Peer[]> {
  if (!natsInstalled()) return [];
  const { at, mirror } = await startNatsPair(run);
  const get = async (key: string) => (await mirror.get(key))?.string();
  return [{ name: 'NATS KV mirror', put: (key, value) => at.put(key, value), get }];
}

async function etcdPeers(run: BenchRun): Promise<readonly Peer[]> {
  if (!etcdInstalled()) return [];
  const client = await startEtcd(run);
  const put = (key: string, value: Buffer) => client.put(key).value(value).exec();
  return [{ name: 'etcd, serializable', put, get: (key) => client.get(key).serializable(true).string() }];
}

/** The floor: it keeps nothing and copies nothing. */
async function memcachedPeers(run: BenchRun): Promise<readonly Peer[]> {
  if (!memcachedInstalled()) return [];
  const client = await startMemcached(run);
  const put = (key: string, value: Buffer) => client.set(key, value, { expires: 0 });
  return [{ name: 'memcached', put, get: (key) => client.get(key) }];
}

/** Puts a value under each key, and waits until the peer's reader shows the last one. */
export async function fillPeer({ name, put, get }: Peer, keys: readonly string[], value: Buffer): Promise<void> {
  for (let first = 0; first < keys.length; first += 256) {
    await Promise.all(keys.slice(first, first + 256).map((key) => put(key, value)));
  }
  const last = keys.at(-1) ?? '';
  await until(async () => ((await get(last)) ?? null) !== null, `${name} shows what was put`, 60_000);
}
