import type { CallCounts, NodeIdentity } from '../model/cluster.ts';
import type { ValueMode } from '../model/feed.ts';
import { type ReplicationBounds, replicationDefaults } from '../replication/bounds.ts';
import type { FollowLoopOptions } from '../replication/following/follow-loop.ts';
import type { HotKeys } from '../replication/hot-keys.ts';
import type { ReplicationObserver } from '../replication/observer.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { Store } from '../store/store.ts';
import type { AuditBounds } from './audit/audit-options.ts';
import type { FailBackTimes } from './fail-back.ts';
import type { EdgeObserver } from './observer.ts';
import type { NamedUpstream } from './upstreams.ts';

/** Everything that bounds an edge. */
export interface EdgeBounds
  extends ReplicationBounds,
    Pick<FollowLoopOptions, 'probeIntervalMs' | 'silenceMsMax' | 'backoff'> {
  /** Milliseconds: the age that a read accepts if it names none. */
  readonly maxStalenessMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly cacheMemoryBytesMax: number;
  readonly cacheDiskBytesMax: number;
  /** Loads and lists under way to the upstreams at once. */
  readonly loadsMax: number;
  /** Loads and lists that wait for a permit, within their deadline. */
  readonly loadsWaitingMax: number;
  readonly loadTimeoutMs: number;
  readonly failBack: FailBackTimes;
  readonly audit: AuditBounds;
}

export interface EdgeOptions extends EdgeBounds {
  /** False if its readers ask other processes: what it served itself is not the edge's hit rate. Default true. */
  readonly tellsHitRate?: boolean;
  readonly identity: Pick<NodeIdentity, 'name' | 'region' | 'location' | 'address'>;
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
  /** Patterns of what else may be cached: the same, or the beginning of titles. Default: `*`. */
  readonly cache?: readonly string[];
  /** Called for each answered read. Default: not counted. */
  readonly hotKeys?: HotKeys;
  /** True once it takes no new traffic. Default: it always does. */
  readonly isDraining?: () => boolean;
  /** How values travel to the cache. */
  readonly feedValues: ValueMode;
  /** True while it waits to become an origin: followers are told to come again soon. Default: false. */
  readonly standsBy?: boolean;
  /** Counts of its calls so far, for status. Default: unknown. */
  readonly calls?: () => CallCounts;
  /** Further notes for status. Default: none. */
  readonly notes?: () => readonly string[];
}

export const edgeDefaults: EdgeBounds = {
  ...replicationDefaults,
  probeIntervalMs: 200,
  silenceMsMax: 5000,
  backoff: { firstMs: 100, mostMs: 5000 },
  maxStalenessMs: 60_000,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 24 * 60 * 60 * 1000,
  cacheMemoryBytesMax: 256 * 1024 * 1024,
  cacheDiskBytesMax: 4 * 1024 * 1024 * 1024,
  loadsMax: 1024,
  loadsWaitingMax: 8192,
  loadTimeoutMs: 10_000,
  failBack: { lookMs: 1000, steadyMs: 5000, steadyMsMax: 5 * 60_000 },
  audit: {
    everyMs: 5000,
    keysMax: 4,
    rangeRecordsMax: 512,
    rangeBytesMax: 1024 * 1024,
    suspectsMax: 32,
    patienceMs: 5000,
  },
};
