import type { EdgeConfig } from '../config/config.ts';
import type { TitledRange } from '../config/option.ts';
import { formatAddress } from '../config/parse-address.ts';
import { Edge } from '../edge/edge.ts';
import { edgeDefaults } from '../edge/edge-options.ts';
import { NodeMetrics } from '../metrics/node-metrics.ts';
import { RemoteUpstream } from '../rpc/client/remote-upstream.ts';
import { openAccess } from './access.ts';
import { advertisedAddress } from './advertised-address.ts';
import { claimFolder } from './claim-folder.ts';
import { Closing } from './closing.ts';
import { checkListeners } from './listen-guard.ts';
import { hostNode } from './node-host.ts';
import { openEdgeStores } from './open-store.ts';
import type { Outside } from './outside.ts';
import type { RunningNode } from './running-node.ts';
import { softwareVersion } from './software-version.ts';
import { openTls } from './tls-files.ts';

/**
 * Opens the edge's stores, begins to follow, and serves. It is there at once, also while no upstream is.
 * @throws INVALID_ARGUMENT (a listener that others reach, a folder of another role), UNAVAILABLE (an address or a store is taken), DATA_LOSS
 */
export async function startEdge(config: EdgeConfig, outside: Outside): Promise<RunningNode> {
  const { clock, random, logger } = outside;
  checkListeners(
    [
      { flag: 'listen', ...config.listen },
      { flag: 'http', ...config.http },
      ...(config.redis === undefined ? [] : [{ flag: 'redis', ...config.redis }]),
    ],
    config,
  );
  const closing = new Closing(logger);
  return closing.orClose(async () => {
    const access = await openAccess(config, outside, closing);
    const { credential } = access;
    const nodeTls = await openTls(config, outside, closing);
    const { client: tls } = nodeTls;
    const metrics = new NodeMetrics(logger, config.data);
    closing.add('metrics', async () => metrics.stop());
    await claimFolder(config.data, 'edge');
    const stores = await openEdgeStores(config.data, { ...config, outside, closing });
    const upstreams = config.upstreams.map((address) => {
      const name = formatAddress(address);
      const upstream = new RemoteUpstream({ address: name, clock, observer: metrics.rpc, credential, tls });
      closing.add(`connection to ${name}`, async () => upstream.close());
      return { name, upstream };
    });
    const edge = await Edge.open({
      ...edgeDefaults,
      ...boundsOf(config),
      identity: identityOf(config),
      version: softwareVersion(),
      clock,
      random,
      observer: metrics.replication,
      edgeObserver: metrics.forEdge(),
      upstreams,
      ...stores,
      replicate: config.replicate.map(patternOf),
      feedValues: config.feedValues,
    });
    closing.add('edge', () => edge.close());
    const { expiryClock } = edge;
    return hostNode(edge, { ...config, outside, metrics, closing, expiryClock, access, nodeTls });
  });
}

function identityOf({ name, region, location, ...config }: EdgeConfig): Parameters<typeof Edge.open>[0]['identity'] {
  return { name, region, ...(location === undefined ? {} : { location }), ...advertisedAddress(config) };
}

function boundsOf(config: EdgeConfig): Partial<typeof edgeDefaults> {
  return {
    maxStalenessMs: config.maxStalenessMs,
    staleWhileRevalidateMs: config.staleWhileRevalidateMs,
    staleIfErrorMs: config.staleIfErrorMs,
    cacheMemoryBytesMax: config.cacheMemoryBytes,
    cacheDiskBytesMax: config.cacheDiskBytes,
    loadsMax: config.loadsMax,
    probeIntervalMs: config.probeIntervalMs,
    clockSkewMsMax: config.clockSkewMaxMs,
    tombstoneRetentionMs: config.tombstoneRetentionMs,
    ringBytesMax: config.ringBytes,
    scansMax: config.scansMax,
    scanStallMs: config.scanStallMs,
  };
}

function patternOf({ title, prefix }: TitledRange): string {
  return prefix === '' ? title : `${title}/${prefix}*`;
}
