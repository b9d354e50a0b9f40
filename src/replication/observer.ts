import type { LogId } from '../model/position.ts';

/** What the two sides of the feed report to metrics. Every method returns at once and throws nothing. */
export interface ReplicationObserver {
  /** Serving: an event left for a follower; `encodedBytes` are counted in rpc, not here. */
  eventSent(kind: string, records: number): void;
  /** Serving: a commit was shaped for one kind of scope; followers of like scopes share the result. */
  stepShaped(records: number): void;
  scanStarted(kind: 'log' | 'records'): void;
  scanEnded(kind: 'log' | 'records', records: number): void;
  /** Serving: a follower fell out of the ring. */
  followerFellBehind(): void;
  resyncSent(reason: string): void;
  /** Following. */
  eventReceived(scope: string, kind: string, records: number): void;
  /** Following: from the origin's commit until it is applied here, by two clocks, without any correction. */
  propagated(scope: string, elapsedMs: number): void;
  followCaughtUp(scope: string, upstream: string): void;
  followEnded(scope: string, upstream: string, error: unknown): void;
  /** A record, held or offered, lost against a later stamp of another member. */
  conflictLost(winner: string, loser: string): void;
  /** `synced`: the time is mostly that of the disk's sync. */
  committed(records: number, elapsedMs: number, synced: boolean): void;
  commitFailed(error: unknown): void;
  expired(records: number): void;
  purged(records: number): void;
  /** Tombstones past their retention that wait for a member that is away (rule R19); reported at each look. */
  purgeWaits(records: number): void;
  /** The wall clock here minus that of a peer, or of the followed node. */
  clockSkew(peer: string, skewMs: number): void;
  /** Following: the echo of a probe came back, with a bound of this root. */
  echoed(scope: string, root: LogId, roundTripMs: number): void;
}

const nothing = (): void => {};

export const silentReplicationObserver: ReplicationObserver = {
  eventSent: nothing,
  stepShaped: nothing,
  scanStarted: nothing,
  scanEnded: nothing,
  followerFellBehind: nothing,
  resyncSent: nothing,
  eventReceived: nothing,
  propagated: nothing,
  followCaughtUp: nothing,
  followEnded: nothing,
  conflictLost: nothing,
  committed: nothing,
  commitFailed: nothing,
  expired: nothing,
  purged: nothing,
  purgeWaits: nothing,
  clockSkew: nothing,
  echoed: nothing,
};
