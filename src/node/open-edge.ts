import type { EdgeConfig } from '../config/config.ts';
import type { TitledRange } from '../config/option.ts';
import { formatAddress } from '../config/parse-address.ts';
import { Edge } from '../edge/edge.ts';
import { edgeDefaults } from '../edge/edge-options.ts';
import type { NamedUpstream } from '../edge/upstreams.ts';
import { NodeMetrics } from '../metrics/node-metrics.ts';
import { HotKeys } from '../replication/hot-keys.ts';
import { RemoteUpstream } from '../rpc/client/remote-upstream.ts';
import { Draining } from '../runtime/draining.ts';
import { type Access, openAccess } from './access.ts';
import { advertisedAddress } from './advertised-address.ts';
import { claimFolder } from './claim-folder.ts';
import type { Closing } from './closing.ts';
import { openEdgeStores } from './open-store.ts';
import type { Outside } from './outside.ts';
import { softwareVersion } from './software-version.ts';
import { type NodeTls, openTls } from './tls-files.ts';
import { forgetWorkersBeyond } from './workers/shares.ts';

/** An edge that follows, and what its listeners need beside it. */
export interface OpenedEdge {
  readonly edge: Edge;
  readonly metrics: NodeMetrics;
  readonly access: Access;
  readonly nodeTls: NodeTls;
  /** Begun where the edge is to take no new traffic. */
  readonly draining: Draining;
}

export interface OpenEdgeOptions {
  readonly config: EdgeConfig;
  readonly outside: Outside;
  /** What was opened joins it. */
  readonly closing: Closing;
  /** Upstreams that come before those of the configuration. Default: none. */
  readonly nearer?: (metrics: NodeMetrics) => readonly NamedUpstream[];
  /** False for one that others do not reach by itself. Default: as the configuration says. */
  readonly isReached?: boolean;
  /** False where readers ask other processes. Default true. */
  readonly tellsHitRate?: boolean;
  /** It waits to become an origin; then what its status says of that. Default: it does not. */
  readonly standsBy?: () => readonly string[];
}

/**
 * Opens an edge's stores and begins to follow; it has no listener yet.
 * @throws INVALID_ARGUMENT (a folder of another role), UNAVAILABLE (a store is taken), DATA_LOSS
 */
export async function openEdge(options: OpenEdgeOptions): Promise<OpenedEdge> {
  const { config, outside, closing, nearer = () => [], tellsHitRate = true, standsBy } = options;
  const access = await openAccess(config, outside, closing);
  const nodeTls = await openTls(config, outside, closing);
  const metrics = new NodeMetrics(outside, config.data);
  closing.add('metrics', async () => metrics.stop());
  await claimFolder(config.data, 'edge');
  const stores = await openEdgeStores(config.data, { ...config, outside, closing });
  await forgetWorkersBeyond(config);
  const draining = new Draining();
  const edge = await Edge.open({
    ...edgeDefaults,
    ...boundsOf(config),
    identity: identityOf(options),
    tellsHitRate,
    version: softwareVersion(),
    ...outside,
    observer: metrics.replication,
    edgeObserver: metrics.forEdge(),
    hotKeys: new HotKeys(outside),
    calls: () => metrics.readsAndWrites.calls(),
    isDraining: () => draining.hasBegun,
    upstreams: [...nearer(metrics), ...upstreamsOf(options, { access, nodeTls, metrics })],
    ...stores,
    replicate: config.replicate.map(patternOf),
    cache: config.cache,
    feedValues: config.feedValues,
    ...(standsBy === undefined ? {} : { standsBy: true, notes: standsBy }),
  });
  closing.add('edge', () => edge.close());
  return { edge, metrics, access, nodeTls, draining };
}

function upstreamsOf(
  { config, outside: { clock }, closing }: OpenEdgeOptions,
  { access: { credential }, nodeTls: { client: tls }, metrics }: Omit<OpenedEdge, 'edge' | 'draining'>,
): readonly NamedUpstream[] {
  return config.upstreams.map((address) => {
    const name = formatAddress(address);
    // What fails there is told to callers, who need not know what stands behind the edge. Logs and the status name it.
    const shownAs = 'the upstream of this edge';
    const options = { address: name, shownAs, clock, observer: metrics.rpc, credential, tls };
    const upstream = new RemoteUpstream({ ...options, pipelined: true });
    closing.add(`connection to ${name}`, async () => upstream.close());
    return { name, upstream };
  });
}

function identityOf({ config, isReached = true }: OpenEdgeOptions): Parameters<typeof Edge.open>[0]['identity'] {
  const { name, region, location } = config;
  const reached = isReached ? advertisedAddress(config) : {};
  return { name, region, ...(location === undefined ? {} : { location }), ...reached };
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
