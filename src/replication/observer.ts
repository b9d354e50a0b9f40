import type { LogId } from '../model/position.ts';

/** What the feed's two sides tell whoever measures. Every method returns at once and throws nothing. */
export interface ReplicationObserver {
  /** Serving: an event left for a follower; `encodedBytes` are counted in rpc, not here. */
  eventSent(kind: string, records: number): void;
  /** Serving: a commit was laid out for one kind of scope; followers of a like scope share it. */
  stepShaped(records: number): void;
  scanStarted(kind: 'log' | 'records'): void;
  scanEnded(kind: 'log' | 'records', records: number): void;
  /** Serving: a follower fell out of the ring. */
  followerFellBehind(): void;
  resyncSent(reason: string): void;
  /** Following. */
  eventReceived(scope: string, kind: string, records: number): void;
  /** Following: origin's commit → applied here, by two clocks and corrected for nothing. */
  propagated(scope: string, elapsedMs: number): void;
  followCaughtUp(scope: string, upstream: string): void;
  followEnded(scope: string, upstream: string, error: unknown): void;
  /** A record that was held or offered lost against a later stamp of another member. */
  conflictLost(winner: string, loser: string): void;
  /** `synced`: the time is mostly that of the disk's sync. */
  committed(records: number, elapsedMs: number, synced: boolean): void;
  commitFailed(error: unknown): void;
  expired(records: number): void;
  purged(records: number): void;
  /** Tombstones past their retention that wait for a member that is away (rule R19); told with each look. */
  purgeWaits(records: number): void;
  /** Wall clock here less that of a peer, or of the node that is followed. */
  clockSkew(peer: string, skewMs: number): void;
  /** Following: the upstream's probes came back; what is proven now. */
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
