import type { SettledTimeOptions } from './clocks/settled-time.ts';
import type { GarbageOptions } from './expiry.ts';
import type { LedgerOptions } from './ledger.ts';
import type { FeedServerOptions } from './serving/feed-server.ts';

/** The bounds of replication on any node, origin or edge. */
export interface ReplicationBounds
  extends Pick<
      LedgerOptions,
      'ringCommitsMax' | 'ringBytesMax' | 'proposalsMax' | 'proposalBytesMax' | 'commitBytesMax'
    >,
    Pick<FeedServerOptions, 'scanRecordsMax' | 'scanBytesMax' | 'scansMax' | 'scanStallMs' | 'followersMax'>,
    Pick<GarbageOptions, 'garbageIntervalMs' | 'clockSkewMsMax' | 'tombstoneRetentionMs'>,
    Pick<SettledTimeOptions, 'clockHoldMs'> {}

export const replicationDefaults: ReplicationBounds = {
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
  garbageIntervalMs: 1000,
  clockSkewMsMax: 500,
  clockHoldMs: 5 * 60_000,
  tombstoneRetentionMs: 24 * 60 * 60 * 1000,
};
