import type { Change, Step } from '../model/feed.ts';
import type { Head, Record } from '../model/record.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { LostLife } from './lost-lives.ts';

/** What is different where the node is an origin itself. */
export interface Peering {
  /** The name of this replica's progress in the store: one for each peer. */
  readonly progressName: string;
  /** True where another replica's sweep was interrupted, so that this one has to begin anew too (rule R21). */
  readonly mustBeginAnew: () => boolean;
  /** A sweep has ended with its caught-up. */
  readonly onSwept: () => void;
  /** What every registered origin covers, once this node covers `covered`, and the peer what its step says (rule R19). */
  readonly settled: (covered: VersionVector, before: VersionVector, step: Step) => VersionVector;
  /** Gives what was lost with another origin's disk, and is held here, a place in this origin's log. */
  readonly adopt: (lost: readonly LostLife[]) => Promise<void>;
  /** What was held lost against a later record. */
  readonly overwritten: (held: Head, record: Record) => void;
  /** Refuses a record that must not be taken from anybody, by throwing (rules R15, R22, R23). */
  readonly check: (record: Change) => void;
  /** Refuses whatever comes from this peer now, by throwing, where it is about to be committed (rule R22). */
  readonly mayTake: () => void;
}
