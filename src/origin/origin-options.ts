import type { Durability } from '../model/key-value.ts';
import { type ReplicationBounds, replicationDefaults } from '../replication/bounds.ts';
import type { LedgerOptions } from '../replication/ledger.ts';
import type { Random } from '../runtime/random.ts';
import type { OriginObserver } from './observer.ts';

export interface OriginOptions extends ReplicationBounds, Pick<LedgerOptions, 'store' | 'clock' | 'observer'> {
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

/** The bounds of an origin that is told none. */
export const originDefaults = replicationDefaults;
