import type { OriginConfig } from '../config/config.ts';
import { formatAddress } from '../config/parse-address.ts';
import { NodeMetrics } from '../metrics/node-metrics.ts';
import { Origin } from '../origin/origin.ts';
import { type OriginOptions, originDefaults } from '../origin/origin-options.ts';
import { rebuildStore } from '../origin/rebuild.ts';
import { HotKeys } from '../replication/hot-keys.ts';
import { RemoteUpstream } from '../rpc/client/remote-upstream.ts';
import { Draining } from '../runtime/draining.ts';
import { openAccess } from './access.ts';
import { advertisedAddress } from './advertised-address.ts';
import { claimFolder } from './claim-folder.ts';
import { Closing } from './closing.ts';
import { keepApart } from './kept-apart.ts';
import { checkListenersOf } from './listen-guard.ts';
import { hostNode } from './node-host.ts';
import { folderStorage, type OriginStorage } from './origin-storage.ts';
import type { Outside } from './outside.ts';
import type { RunningNode } from './running-node.ts';
import { softwareVersion } from './software-version.ts';
import { openTls } from './tls-files.ts';

/** What the log says of damaged records of the registry. */
const registryRepairs = {
  asking: 'records of the registry are damaged: the other origins are asked for them',
  repaired: 'damaged records of the registry were given back by other origins',
  dropped: 'records of the registry are lost, which was accepted',
} as const;

/** Records between two lines of the log. */
const rebuildTold = 100_000;

/**
 * Opens the origin's stores, founding a cluster in an empty folder, and serves.
 * @throws INVALID_ARGUMENT (a listener that others reach, a folder of another role), UNAVAILABLE (an address or the store
 * is taken), DATA_LOSS
 */
export async function startOrigin(
  config: OriginConfig,
  outside: Outside,
  storage: OriginStorage = folderStorage(config, outside),
): Promise<RunningNode> {
  const { clock, random, logger } = outside;
  checkListenersOf(config);
  const closing = new Closing(logger);
  return closing.orClose(async () => {
    const access = await openAccess(config, outside, closing);
    const { credential } = access;
    const nodeTls = await openTls(config, outside, closing);
    const { client: tls } = nodeTls;
    const metrics = new NodeMetrics(outside, config.data);
    closing.add('metrics', async () => metrics.stop());
    await claimFolder(config.data, 'origin');
    const stores = await storage.open(metrics);
    closing.add('stores', () => stores.close());
    const draining = new Draining();
    const mustReopen = new AbortController();
    const replaced = new AbortController();
    const { name, region, location, durability } = config;
    const options: OriginOptions = {
      ...originDefaults,
      stores,
      clock,
      random,
      observer: metrics.replication,
      originObserver: metrics.readsAndWrites,
      hotKeys: new HotKeys(outside),
      calls: () => metrics.readsAndWrites.calls(),
      isDraining: () => draining.hasBegun,
      name,
      region,
      ...(location === undefined ? {} : { location }),
      version: softwareVersion(),
      durability,
      peers: config.peers.map(formatAddress),
      connect: (address) => {
        const upstream = new RemoteUpstream({ address, clock, observer: metrics.rpc, credential, tls });
        return { upstream, close: () => upstream.close() };
      },
      ...advertisedAddress(config),
      keepApart: (member, records) => keepApart({ folder: config.data, member, logger }, records),
      beginAnew: (why) => {
        logger.log('error', 'this origin puts its store aside and begins anew', { why });
        mustReopen.abort();
      },
      replaced: (why) => {
        logger.log('error', "this origin's member runs elsewhere: it ends", { why });
        replaced.abort(why);
      },
      ...(storage.fenced === undefined ? {} : { fenced: storage.fenced }),
      ...(storage.notes === undefined ? {} : { storeNotes: storage.notes }),
      acceptLoss: config.acceptLoss,
      registryRepair: ({ kind, keys, ...repair }) => {
        const asked = 'addresses' in repair ? { addresses: repair.addresses.join(' ') } : {};
        logger.log(kind === 'repaired' ? 'info' : 'error', registryRepairs[kind], { keys: keys.join(' '), ...asked });
      },
      tombstoneRetentionMs: config.tombstoneRetentionMs,
      clockSkewMsMax: config.clockSkewMaxMs,
      hotBytesMax: config.cacheMemoryBytes,
      ringBytesMax: config.ringBytes,
      scansMax: config.scansMax,
      scanStallMs: config.scanStallMs,
    };
    if (config.rebuildFrom !== undefined) await rebuild(options, formatAddress(config.rebuildFrom), outside);
    const origin = await Origin.open(options);
    closing.add('origin', () => origin.close());
    const expiryClock = { nowMs: () => clock.wallMs() };
    const expiries = { nextToken: () => origin.nextTokenExpiry() };
    const parts = { outside, metrics, closing, draining, expiryClock, access, nodeTls, expiries };
    const node = await hostNode(origin, { ...config, ...parts });
    await storage.listening?.(node.grpcAddress);
    const reopens = storage.lost === undefined ? mustReopen.signal : AbortSignal.any([mustReopen.signal, storage.lost]);
    return { ...node, mustReopen: reopens, replaced: replaced.signal };
  });
}

/** Takes everything from a copy before the origin is opened; how far it is stands in the log. */
async function rebuild(options: OriginOptions, address: string, { logger }: Outside): Promise<void> {
  const source = options.connect(address);
  let records = 0;
  let told = 0;
  try {
    await rebuildStore({
      ...options,
      source,
      address,
      signal: new AbortController().signal,
      received: (more) => {
        records += more;
        if (records - told < rebuildTold) return;
        told = records;
        logger.log('info', 'rebuilding from a copy', { address, records });
      },
    });
    logger.log('info', 'rebuilt from a copy', { address, records });
  } finally {
    source.close();
  }
}
