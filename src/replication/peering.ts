import type { Change } from '../model/feed.ts';
import type { VersionVector } from '../model/version-vector.ts';

/** What is different in a replica whose node is an origin itself. */
export interface Peering {
  /** The name of this replica's progress in the store: one for each peer. */
  readonly progressName: string;
  /** True where another replica's sweep was interrupted, so that this one has to begin anew too (rule R21). */
  readonly mustBeginAnew: () => boolean;
  /** A sweep has ended with its caught-up. */
  readonly onSwept: () => void;
  /** What every registered origin covers, once this node covers `covered` (rule R19). */
  readonly settled: (covered: VersionVector, before: VersionVector) => VersionVector;
  /** Refuses a record that must not be taken from anybody, by throwing (rules R15, R22, R23). */
  readonly check: (record: Change) => void;
  /** Refuses whatever comes from this peer now, by throwing, where it is about to be committed (rule R22). */
  readonly mayTake: () => void;
}
