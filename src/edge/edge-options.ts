import type { NodeIdentity } from '../model/cluster.ts';
import type { ValueMode } from '../model/feed.ts';
import type { FeedServerOptions } from '../replication/feed-server.ts';
import type { FollowLoopOptions } from '../replication/follow-loop.ts';
import type { LedgerOptions } from '../replication/ledger.ts';
import type { ReplicationObserver } from '../replication/observer.ts';
import type { SweeperOptions } from '../replication/sweeper.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { Store } from '../store/store.ts';
import type { EdgeObserver } from './observer.ts';
import type { NamedUpstream } from './upstreams.ts';

/** Everything that bounds an edge. */
export interface EdgeBounds
  extends Pick<
      LedgerOptions,
      'ringCommitsMax' | 'ringBytesMax' | 'proposalsMax' | 'proposalBytesMax' | 'commitBytesMax'
    >,
    Pick<FeedServerOptions, 'scanRecordsMax' | 'scanBytesMax' | 'scansMax' | 'scanStallMs' | 'followersMax'>,
    Pick<FollowLoopOptions, 'probeIntervalMs' | 'silenceMsMax' | 'backoff'>,
    Pick<SweeperOptions, 'sweepIntervalMs' | 'clockSkewMsMax' | 'tombstoneRetentionMs'> {
  /** Milliseconds: the age that a read accepts which names none. */
  readonly maxStalenessMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly cacheMemoryBytesMax: number;
  readonly cacheDiskBytesMax: number;
  readonly loadsMax: number;
  readonly loadTimeoutMs: number;
}

export interface EdgeOptions extends EdgeBounds {
  readonly identity: Pick<NodeIdentity, 'name' | 'region' | 'location'>;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: ReplicationObserver;
  readonly edgeObserver: EdgeObserver;
  /** In the order of preference. */
  readonly upstreams: readonly NamedUpstream[];
  /** Open stores of their own; the caller closes them after `Edge.close`. */
  readonly copyStore: Store;
  readonly cacheStore: Store;
  /** Patterns of what is copied: `*`, `title`, `title/prefix*`. */
  readonly replicate: readonly string[];
  /** How values travel to the cache. */
  readonly feedValues: ValueMode;
}

export const edgeDefaults: EdgeBounds = {
  ringCommitsMax: 65_536,
  ringBytesMax: 64 * 1024 * 1024,
  proposalsMax: 100_000,
  proposalBytesMax: 256 * 1024 * 1024,
  commitBytesMax: 4 * 1024 * 1024,
  scanRecordsMax: 1024,
  scanBytesMax: 256 * 1024,
  scansMax: 4,
  scanStallMs: 10_000,
  followersMax: 4096,
  probeIntervalMs: 200,
  silenceMsMax: 5000,
  backoff: { firstMs: 100, mostMs: 5000 },
  sweepIntervalMs: 1000,
  clockSkewMsMax: 500,
  tombstoneRetentionMs: 24 * 60 * 60 * 1000,
  maxStalenessMs: 60_000,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 24 * 60 * 60 * 1000,
  cacheMemoryBytesMax: 256 * 1024 * 1024,
  cacheDiskBytesMax: 4 * 1024 * 1024 * 1024,
  loadsMax: 1024,
  loadTimeoutMs: 10_000,
};
