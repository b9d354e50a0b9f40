import type { Durability } from '../model/key-value.ts';
import type { FeedServerOptions } from '../replication/feed-server.ts';
import type { LedgerOptions } from '../replication/ledger.ts';
import type { SweeperOptions } from '../replication/sweeper.ts';
import type { Random } from '../runtime/random.ts';
import type { OriginObserver } from './observer.ts';

/** Everything that bounds an origin. */
export interface OriginBounds
  extends Pick<
      LedgerOptions,
      'ringCommitsMax' | 'ringBytesMax' | 'proposalsMax' | 'proposalBytesMax' | 'commitBytesMax'
    >,
    Pick<FeedServerOptions, 'scanRecordsMax' | 'scanBytesMax' | 'scansMax' | 'scanStallMs' | 'followersMax'>,
    Pick<SweeperOptions, 'sweepIntervalMs' | 'clockSkewMsMax' | 'tombstoneRetentionMs'> {}

export interface OriginOptions extends OriginBounds, Pick<LedgerOptions, 'store' | 'clock' | 'observer'> {
  readonly random: Random;
  readonly originObserver: OriginObserver;
  /** The operator's label. */
  readonly name: string;
  readonly region: string;
  /** Degrees north, degrees east. */
  readonly location?: readonly [number, number];
  /** Of the software, for status. */
  readonly version: string;
  /** Of a write that asks for none. */
  readonly durability: Durability;
}

export const originDefaults: OriginBounds = {
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
  sweepIntervalMs: 1000,
  clockSkewMsMax: 500,
  tombstoneRetentionMs: 24 * 60 * 60 * 1000,
};
