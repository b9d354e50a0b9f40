import type { SeededRandom } from '../../support/seeded-random.ts';

/** What bounds the nodes of one run: so tiny that every limit is met within seconds. */
export interface Parameters {
  readonly ringCommitsMax: number;
  readonly scanRecordsMax: number;
  readonly scansMax: number;
  readonly scanStallMs: number;
  readonly garbageIntervalMs: number;
  readonly clockSkewMsMax: number;
  readonly clockHoldMs: number;
  readonly tombstoneRetentionMs: number;
  /** Milliseconds that a sync takes, at the most. */
  readonly syncMsMax: number;
  readonly cacheMemoryBytesMax: number;
  readonly cacheDiskBytesMax: number;
  /** Values up to this many bytes travel with the feed of a cache. */
  readonly inlineBytesMax: number;
}

export function drawParameters(random: SeededRandom): Parameters {
  return {
    ringCommitsMax: random.between(2, 6),
    scanRecordsMax: random.between(1, 3),
    scansMax: random.between(1, 2),
    scanStallMs: 100,
    garbageIntervalMs: random.between(50, 130),
    clockSkewMsMax: 60,
    clockHoldMs: 300,
    tombstoneRetentionMs: random.pick([100, 300, 500]),
    syncMsMax: random.pick([1, 4, 12]),
    // Some caches hold a few entries in memory, or on disk, and evict the rest.
    cacheMemoryBytesMax: random.pick([2200, 4900, 1_000_000]),
    cacheDiskBytesMax: random.pick([600, 1_000_000, 1_000_000]),
    inlineBytesMax: random.pick([0, 6, 6, 20_000]),
  };
}
