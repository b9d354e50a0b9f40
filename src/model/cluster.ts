import type { Call } from './call.ts';
import type { NamespaceId } from './namespace.ts';
import type { LogId, MemberId } from './position.ts';
import type { RangeDigest, RangeDigestRequest } from './range-digest.ts';
import type { Stamp } from './stamp.ts';
import type { VersionVector } from './version-vector.ts';

/** What a node says of itself, and of the nodes that it hears of. */
export interface Cluster {
  status(call: Call): Promise<NodeStatus>;
  members(call: Call): Promise<readonly Member[]>;
  /**
   * Removes an origin for good (rule R22), by its id or by a name that is unique: its logs are sealed for it. With
   * `force` even if too few of the others can report what they hold of it: then acknowledged writes may be lost.
   * @throws NOT_FOUND, FAILED_PRECONDITION (too few reports: says who is missing), UNAVAILABLE
   */
  removeMember(request: RemoveMemberRequest, call: Call): Promise<RemovedMember>;
  /**
   * Digests of everything that the node holds whole: an origin all, an edge its copies. Reads all of it, one request at
   * a time.
   * @throws RESOURCE_EXHAUSTED if too many wait
   */
  digest(request: DigestRequest, call: Call): Promise<readonly ScopeDigest[]>;
  /**
   * The digest of one range of keys, or of as much of its beginning as one request may read.
   * @throws NOT_FOUND; RESOURCE_EXHAUSTED if too many wait; UNIMPLEMENTED by nodes of an earlier version
   */
  digestRange(request: RangeDigestRequest, call: Call): Promise<RangeDigest>;
}

/** What one origin tells another. */
export interface Reports {
  /** What it covers, also of a member that is being removed. From then on it takes nothing more of that member. */
  report(request: ReportRequest, call: Call): Promise<Report>;
}

export interface DrainRequest {
  /** Ends the process as well. */
  readonly stop: boolean;
}

/** The progress of a node that takes no new traffic. */
export interface DrainProgress {
  /** Calls over gRPC under way, besides the one that asks. */
  readonly calls: number;
}

export interface DigestRequest {
  /** Seconds since 1970: records that have expired by then are left out. */
  readonly second: number;
}

/** Two digests of the same vector, prefixes and second are equal exactly when their records are. */
export interface ScopeDigest {
  readonly scope: 'all' | 'copy';
  readonly namespace: NamespaceId;
  readonly title: string;
  /** The prefixes of the namespace that are held; the empty prefix is all of it. */
  readonly prefixes: readonly string[];
  /** What the node covered when it looked. */
  readonly vector: VersionVector;
  readonly second: number;
  /** Live records that had not expired. */
  readonly records: number;
  /** SHA-256 over key, stamp, metadata, expiry and value of each, in record order; hex. Unset = unknown: some are damaged. */
  readonly digest?: string;
  /** Records that are held and cannot be read; unset = none. */
  readonly damaged?: number;
}

export interface RemoveMemberRequest {
  /** A member's id, or a name that is unique. */
  readonly name: string;
  readonly force: boolean;
}

export interface RemovedMember {
  readonly id: MemberId;
  readonly name: string;
  /** Its logs, and where each was sealed. */
  readonly logs: readonly SealedLog[];
  /** Names of the members that could not report. */
  readonly missing: readonly string[];
}

export interface SealedLog {
  readonly log: LogId;
  /** The last sequence that counts. */
  readonly final: number;
}

export interface ReportRequest {
  /** The member that is being removed. */
  readonly member: MemberId;
  readonly initiator: MemberId;
  /** The stamp of the record that opened the initiator's log: in a later log it decides nothing by this report. */
  readonly opened?: Stamp;
  /** Counts the initiator's attempts in its process: a withdrawal may come after the report to a later attempt. */
  readonly attempt?: number;
  /** The member that is asked: another one may be reached at its address by now. */
  readonly reporter: MemberId;
  /** The initiator has given up: a member that reported to it may report to another one. */
  readonly withdraws?: boolean;
}

export interface Report {
  /** With a component for every log, sealed ones too. */
  readonly covered: VersionVector;
  /** The members that count for the reporter: the initiator may not have heard of one that was admitted (rule R19). */
  readonly registered: readonly MemberId[];
}

export type Role = 'origin' | 'edge';

/** Who a node is. */
export interface NodeIdentity {
  /** The operator's label. */
  readonly name: string;
  readonly role: Role;
  /** A member's id; an edge's is drawn likewise and kept with its data. */
  readonly id: string;
  readonly region: string;
  /** Degrees north, degrees east; unset = unknown. */
  readonly location?: readonly [number, number];
  /** `host:port` where others reach it, if it says so. */
  readonly address?: string;
}

export interface Member extends NodeIdentity {
  /** True while a connection to it is up, as seen by the node asked. */
  readonly connected: boolean;
  /** For an origin: the logs that it wrote in, oldest first, as the node asked knows. */
  readonly logs?: readonly MemberLog[];
}

export interface MemberLog {
  readonly log: LogId;
  /** When its store was opened, by its own clock: milliseconds since 1970. */
  readonly openedMs: number;
  /** The last sequence that counts; unset while it is not sealed. */
  readonly final?: number;
}

/** One range of keys that a node holds or follows. */
export interface ScopeStatus {
  /** `all` at an origin; `copy`, `cache` at an edge. */
  readonly kind: 'all' | 'copy' | 'cache';
  /** Titles with prefixes, as configured. */
  readonly filter: readonly string[];
  /** The state of the feed that fills it; an origin's is `live`. */
  readonly state: 'starting' | 'connecting' | 'scanning' | 'live' | 'resyncing';
  readonly upstream?: string;
  readonly covered: VersionVector;
  readonly floor: VersionVector;
  readonly stable: VersionVector;
  /** Unset = unknown. */
  readonly boundMs?: number;
  readonly rootLog?: LogId;
  readonly records?: number;
  readonly bytes?: number;
}

export interface FollowerStatus {
  readonly name: string;
  readonly role: Role;
  readonly id: string;
  readonly scope: string;
  readonly state: 'waiting' | 'scanning' | 'live';
  /** Commits between what was last sent and the newest; unset while scanning. */
  readonly behindCommits?: number;
  /** Writes of all origins that this node covers and it has not said to have on disk; unset = it keeps none. */
  readonly unacknowledged?: number;
  readonly region?: string;
  /** As its identity says. */
  readonly location?: readonly [number, number];
  /** Milliseconds: how old its data may be, as proven by the clock of the node asked. Unset = unknown. */
  readonly boundMs?: number;
  /** Milliseconds, the least that it measured lately; unset = not reported. */
  readonly roundTripMs?: number;
  /** Unset = not reported, or no read yet. */
  readonly hitRate?: number;
}

/** One write, as it reached the followers of the node asked. */
export interface Track {
  readonly log: LogId;
  readonly sequence: number;
  /** Milliseconds since the node had it. */
  readonly ageMs: number;
  /** One for each scope of a follower that it was sent to. */
  readonly arrivals: readonly TrackArrival[];
}

export interface TrackArrival {
  readonly name: string;
  readonly role: Role;
  readonly id: string;
  readonly region: string;
  /** `copy`, `cache` or `peer`. */
  readonly scope: string;
  /** Milliseconds within which the follower had the write, by the clock of the node asked; unset = not reported yet. */
  readonly elapsedMs?: number;
}

/** Another origin as an origin sees it. */
export interface PeerStatus {
  /** The operator's label; empty if no node was ever met at the address. */
  readonly name: string;
  readonly id: string;
  readonly address: string;
  readonly state: 'connecting' | 'scanning' | 'live' | 'resyncing';
  /** Milliseconds: how old what the peer wrote may be here. Unset = unknown. */
  readonly boundMs?: number;
  /** This origin's own writes that the peer has not acknowledged to hold on disk; unset = unknown. */
  readonly unacknowledged?: number;
  /** Why it is not followed, if it is not. */
  readonly refused?: string;
}

/** A log of a member's past that is not sealed yet (rule R22). */
export interface UnsealedLog {
  readonly log: LogId;
  /** Names of the members that have not told yet what they cover of it. */
  readonly waitsFor: readonly string[];
}

/** What a node knows of its clock. */
export interface ClockStatus {
  /** Milliseconds by which clocks may differ, as configured. */
  readonly skewMaxMs: number;
  /** For an edge, milliseconds: its own wall clock minus its origin's, by which values expire. Unset = unknown. */
  readonly offsetMs?: number;
  /**
   * Milliseconds by which the clock that values expire by is ahead of the time by which they are dropped for good:
   * large if that clock jumped lately. Unset = none is dropped yet.
   */
  readonly aheadMs?: number;
}

/** The state of a node's storage. */
export interface StorageStatus {
  /** Records that cannot be read. */
  readonly damagedRecords: number;
  /** More may have been lost than is known. */
  readonly absenceUncertain: boolean;
  /** True if there is no room for values. */
  readonly full: boolean;
  /** Acknowledged commits that the operator gave up when the node was started. */
  readonly acceptedLoss: number;
}

/** One process of an edge that runs as several (`--workers`). */
export interface ProcessStatus {
  /** `keeper`, or `worker-` and its number. */
  readonly name: string;
  readonly state: 'starting' | 'serving' | 'resting' | 'stopped';
  /** Unset while none runs. */
  readonly pid?: number;
  /** How often it was started again. */
  readonly restarts: number;
  readonly ready: boolean;
  /** Milliseconds: how old what it holds may be. Unset = unknown. */
  readonly boundMs?: number;
  /** Unset where it has answered no read yet. */
  readonly hitRate?: number;
}

/** A key that was read often in the last minute. */
export interface HotKey {
  readonly namespace: NamespaceId;
  /** The namespace's present title; empty = the namespace is gone. */
  readonly title: string;
  readonly key: string;
  /** About how often: estimated from samples where there were many. */
  readonly reads: number;
  /** By how much the count may be too high or too low, besides the chance of sampling. */
  readonly error: number;
}

/** The calls to a node since it was opened, answered or refused. */
export interface CallCounts {
  /** Single reads and lists. */
  readonly reads: number;
  /** A batch is one. */
  readonly writes: number;
}

export interface NodeStatus {
  readonly node: NodeIdentity;
  readonly clusterId: string;
  readonly version: string;
  readonly ready: boolean;
  /** Why it is not ready, if it is not; warnings besides. */
  readonly notes: readonly string[];
  readonly uptimeMs: number;
  /** Of an origin: the log that it writes in. */
  readonly log?: LogId;
  /** For an origin: its past logs that are not sealed yet. */
  readonly unsealed?: readonly UnsealedLog[];
  readonly scopes: readonly ScopeStatus[];
  readonly followers: readonly FollowerStatus[];
  /** Of an origin. */
  readonly peers?: readonly PeerStatus[];
  /** Unset where no read has been answered yet. */
  readonly hitRate?: number;
  /** As `CallCounts`. Unset = unknown. */
  readonly reads?: number;
  readonly writes?: number;
  /** True if writes are not taken, with the reason in `notes`. */
  readonly readOnly: boolean;
  /** Of this very node; the storage of others is told in `notes`. */
  readonly storage?: StorageStatus;
  /** Unset for a node of an earlier version. */
  readonly clock?: ClockStatus;
  /** For an edge that runs as several. */
  readonly processes?: readonly ProcessStatus[];
  /** The hottest first; on a guarded node, those that the caller may read or list. Unset for an earlier version. */
  readonly hotKeys?: readonly HotKey[];
  /** Tracked writes of the last minute. Unset for a node of an earlier version. */
  readonly tracks?: readonly Track[];
}

/** What a node knows of the nodes beside it, by asking them, if it is asked for the whole cluster. */
export interface Surroundings {
  /** The status of an origin's peers, or of an edge's upstream: of each that answers. */
  around(call: Call): Promise<readonly NodeStatus[]>;
}
