import type { NodeIdentity } from '../model/cluster.ts';
import type { ValueMode } from '../model/feed.ts';
import type { Upstream } from '../model/upstream.ts';
import type { FeedServerOptions } from '../replication/feed-server.ts';
import type { FollowLoopOptions } from '../replication/follow-loop.ts';
import type { LedgerOptions } from '../replication/ledger.ts';
import type { ReplicationObserver } from '../replication/observer.ts';
import type { SweeperOptions } from '../replication/sweeper.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { Store } from '../store/store.ts';
import type { EdgeObserver } from './observer.ts';

/** Everything that bounds an edge. */
export interface EdgeBounds
  extends Pick<
      LedgerOptions,
      'ringCommitsMax' | 'ringBytesMax' | 'proposalsMax' | 'proposalBytesMax' | 'commitBytesMax'
    >,
    Pick<FeedServerOptions, 'scanRecordsMax' | 'scanBytesMax' | 'scansMax' | 'scanStallMs' | 'followersMax'>,
    Pick<SweeperOptions, 'sweepIntervalMs' | 'clockSkewMsMax' | 'tombstoneRetentionMs'>,
    Pick<FollowLoopOptions, 'probeIntervalMs' | 'silenceMsMax' | 'backoff'> {
  /** Milliseconds of staleness that a read accepts which asks for nothing. */
  readonly maxStalenessMs: number;
  /** Milliseconds past the bound within which an answer is served at once, marked as past, and refreshed behind. */
  readonly staleWhileRevalidateMs: number;
  /** Milliseconds past the bound within which an answer is served, marked as past, when loading fails. */
  readonly staleIfErrorMs: number;
  /** Bytes of cached records in memory: values, keys, metadata and 256 an entry. */
  readonly cacheMemoryBytesMax: number;
  /** Bytes of cached records on disk, counted likewise; the store's own overhead comes on top. */
  readonly cacheDiskBytesMax: number;
  /** How values reach the cached part with the feed. */
  readonly feedValues: ValueMode;
  /** Loads in flight to the upstream; one more waits for a place. */
  readonly loadsMax: number;
  /** Reads that wait for a place; one more is refused with RESOURCE_EXHAUSTED. */
  readonly loadsWaitingMax: number;
  /** Milliseconds after which a load, find or list at one upstream is given up and the next one tried. */
  readonly loadMsMax: number;
  /** Times that one read loads again because what came was older than the feed had shown. */
  readonly reloadsMax: number;
  /** Milliseconds for which an upstream that failed is passed over: after the first failure, and at the most. */
  readonly upstreamPauseMs: { readonly firstMs: number; readonly mostMs: number };
  /** Milliseconds by which the wall clock may outrun the monotonic one before a bound is unknown. */
  readonly suspendedMsMax: number;
}

/** One upstream under the name that logs, status and metrics call it by. */
export interface NamedUpstream {
  readonly name: string;
  readonly upstream: Upstream;
}

export interface EdgeOptions extends EdgeBounds {
  /** Its id is drawn once and kept with its data by whoever opens the edge. */
  readonly identity: NodeIdentity;
  /** Of the software, for status. */
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: EdgeObserver;
  readonly replicationObserver: ReplicationObserver;
  /** Best first; at least one. The caller closes them after the edge. */
  readonly upstreams: readonly NamedUpstream[];
  /** `title`, `title/prefix*` or `*`: what is copied; all else is cached. */
  readonly replicate: readonly string[];
  /** Opens the store of copied or of cached records; the edge closes it. */
  readonly openStore: (name: 'copy' | 'cache') => Promise<Store>;
}

const mebibyte = 1024 * 1024;

export const edgeDefaults: EdgeBounds = {
  ringCommitsMax: 65_536,
  ringBytesMax: 64 * mebibyte,
  proposalsMax: 10_000,
  proposalBytesMax: 256 * mebibyte,
  commitBytesMax: 4 * mebibyte,
  scanRecordsMax: 1024,
  scanBytesMax: 256 * 1024,
  scansMax: 4,
  scanStallMs: 10_000,
  followersMax: 4096,
  sweepIntervalMs: 1000,
  clockSkewMsMax: 500,
  tombstoneRetentionMs: 24 * 60 * 60 * 1000,
  probeIntervalMs: 250,
  silenceMsMax: 5000,
  backoff: { firstMs: 100, mostMs: 5000 },
  maxStalenessMs: 60_000,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 24 * 60 * 60 * 1000,
  cacheMemoryBytesMax: 256 * mebibyte,
  cacheDiskBytesMax: 4096 * mebibyte,
  feedValues: { kind: 'inline', bytesMax: 1024 },
  loadsMax: 256,
  loadsWaitingMax: 10_000,
  loadMsMax: 5000,
  reloadsMax: 3,
  upstreamPauseMs: { firstMs: 250, mostMs: 10_000 },
  suspendedMsMax: 1000,
};
