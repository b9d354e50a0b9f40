import type { RecordKey } from '../model/key.ts';
import type { Head, Record } from '../model/record.ts';
import type { LedgerState } from './ledger-state.ts';

/** A change that asks to be committed. Proposals are decided one after another, in the order of asking (rule R11). */
export interface Proposal<T> {
  /** Every key whose head `decide` looks at. */
  readonly keys: readonly RecordKey[];
  /** The result counts once it is on disk. */
  readonly sync: boolean;
  /** Bytes, about: a group of proposals is bounded. */
  readonly bytes: number;
  /** Synchronous. What it throws refuses this proposal alone, which then changes nothing. */
  decide(view: CommitView): Decision<T>;
}

/** What is held once all proposals before this one are committed. */
export interface CommitView {
  /** Of a key that no proposal of the commit named, only what the commit itself makes of it. */
  head(key: RecordKey): Head | undefined;
  readonly state: LedgerState;
}

export interface Decision<T> {
  readonly puts?: readonly Record[];
  readonly removals?: readonly Head[];
  /** What changes of the state. */
  readonly state?: Partial<LedgerState>;
  readonly meta?: ReadonlyMap<string, Uint8Array | undefined>;
  /** True for what every node does alone (expiry, purge): no follower is told. */
  readonly silent?: boolean;
  readonly result: T;
}
