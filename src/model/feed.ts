import type { NodeIdentity } from './cluster.ts';
import type { SpokenVersions } from './feed-version.ts';
import type { Filter } from './filter.ts';
import type { RecordKey } from './key.ts';
import type { LogId, MemberId, Position } from './position.ts';
import type { LiveHead, Record } from './record.ts';
import type { Bound } from './staleness.ts';
import type { Stamp } from './stamp.ts';
import type { VersionVector } from './version-vector.ts';

/**
 * Follow all changes of one scope from a version vector on.
 *
 * One call is one stream for one scope: the follower sends `open`, then probes for as long as it likes; the server sends
 * `opened`, then `resync` where it must, then `changes` of a scan up to `caught-up`, then live `changes`, with echoes
 * between. A follower that falls behind is put back into a scan, which ends with another `caught-up`; it sees no more
 * of that than changes that carry no vector.
 */
export interface Feed {
  /**
   * The iterator ends or throws when the stream is over; `signal` gives it up. Consumption is back-pressure.
   * @throws FAILED_PRECONDITION (another cluster, a clock too far off, a scope that is not served whole, a member that was
   * removed or is below this node's floor), UNAVAILABLE
   */
  follow(open: FollowOpen, messages: AsyncIterable<FollowerMessage>, signal: AbortSignal): AsyncIterable<FeedEvent>;
}

/** How values travel: whole, up to a number of bytes, or not at all (then a change is an invalidation). */
export type ValueMode =
  | { readonly kind: 'all' }
  | { readonly kind: 'inline'; readonly bytesMax: number }
  | { readonly kind: 'none' };

/**
 * Where the follower stands:
 * - `nothing`: it holds no record of the scope. A copy is sent every record; a cache (whose misses load) the registry alone.
 * - `now`: it wants what comes from now on (a watch).
 * - `resync`: what it holds is void. It asks for every record, which takes the place of what is held (rule R7).
 * - `partial`: a scan of every record broke off; the token is the server's own, and void at any other.
 * - `cursor`: it covers the cursor; `token` may spare it what a broken scan had sent already. A copy's cursor names every
 *   log, also those that are sealed: the server may not know the seal yet. A watch's cursor is folded.
 */
export type FollowStart =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'now' }
  | { readonly kind: 'resync' }
  | { readonly kind: 'partial'; readonly token: string }
  | { readonly kind: 'cursor'; readonly cursor: VersionVector; readonly token?: string };

/** Which opening of its store a member runs in. Of two openings of one member the later one counts (rule R16). */
export interface Opening {
  readonly log: LogId;
  /** The stamp of the record that opened the log. */
  readonly opened: Stamp;
}

/** A member that a peer knows to be removed from the cluster. */
export interface KnownRemoval {
  readonly member: MemberId;
  /** True if enough survivors reported what they hold of it to meet every majority; false if it was forced. */
  readonly enough: boolean;
  /** How many survivors reported. */
  readonly reports: number;
  /** The stamp of the record that says so. */
  readonly stamp: Stamp;
}

/** The members of the cluster, as a peer knows them. */
export interface ClusterView {
  /** Itself, and all members that count for it. */
  readonly members: readonly MemberId[];
  readonly removals: readonly KnownRemoval[];
}

export interface FollowOpen extends SpokenVersions {
  readonly node: NodeIdentity;
  /** Drawn at each start of a process, so that a connection to oneself is noticed. */
  readonly nonce: string;
  /** Unset while the follower belongs to no cluster yet. */
  readonly clusterId?: string;
  /** `watch` is a client's: its reset sends every record, and the registry is not added to its scope. */
  readonly role: 'copy' | 'cache' | 'watch' | 'peer';
  readonly filter: Filter;
  readonly values: ValueMode;
  readonly start: FollowStart;
  /** It keeps lost records as such. Without this, a stream that comes to one ends with DATA_LOSS (`damaged-record`). */
  readonly takesLost?: true;
  /** For a peer that has opened its log. */
  readonly opening?: Opening;
  /**
   * For a peer: the highest purged sequence of each log there. The peer has heard of everything up to there, even if a
   * later seal lowered what it covers of the log. If the peer serves, a server below it has had its disk put back (rule
   * R8).
   */
  readonly floor?: VersionVector;
  /** For a peer: of two sides that removed each other one goes on (rule R22). */
  readonly view?: ClusterView;
  /** For a watch: edges that have passed it up; default 0. */
  readonly hops?: number;
}

export type FollowerMessage = Probe;

/** What a follower says of itself with each probe, for the status of the cluster. */
export interface FollowerReport {
  /** The latest echo of this stream that it has applied; unset = none yet. */
  readonly echoed?: number;
  /** Milliseconds from a probe until its echo was applied: the least of the latest few. */
  readonly roundTripMs?: number;
  /** The share of its reads that needed no load, from 0 to 1; unset before the first. */
  readonly hitRate?: number;
  /** The tracked changes that it has applied since its last probe; unset = none. */
  readonly tracked?: readonly number[];
}

/** Asks for an echo, and acknowledges what the follower has on disk. */
export interface Probe extends FollowerReport {
  readonly kind: 'probe';
  /** Rises by one with each probe of a stream. */
  readonly id: number;
  /** What the follower has synced; empty for a cache. */
  readonly durable: VersionVector;
  /** The follower's wall clock, for the clock guard. */
  readonly wallMs: number;
}

export type FeedEvent = Opened | Resync | Changes | CaughtUp | Echo;

export interface Opened {
  readonly kind: 'opened';
  /** The version of the feed in which the server answers. Unset for an earlier version of Meridian. */
  readonly protocol?: number;
  readonly node: NodeIdentity;
  readonly nonce: string;
  readonly clusterId: string;
  /** Changes whenever the server's own store begins anew or is opened again (rules R4, R21); tokens hold for one generation. */
  readonly generation: string;
  /** For a server that is a member. */
  readonly opening?: Opening;
  readonly wallMs: number;
  /** The wall clock of the root origin, as far as the server knows; an origin's own. Unset = unknown. */
  readonly rootWallMs?: number;
  /** Milliseconds since the server asked for that clock, which may have been stepped since. Unset = 0: its own. */
  readonly rootAgeMs?: number;
}

/**
 * No delta from the follower's cursor would be whole (rules R8, R22, R23), or it asked for everything: a cache forgets
 * all it holds; a copy replaces what it holds with the scan that follows (rule R7).
 */
export interface Resync {
  readonly kind: 'resync';
  readonly reason: 'below-floor' | 'beyond-seal' | 'void-log' | 'void-progress' | 'asked';
}

/** A record whose value is not sent (mode `none`, or larger than `inline` allows): it invalidates what is older. */
export interface Announcement extends Omit<LiveHead, 'kind'> {
  readonly kind: 'announcement';
}

export type Change = Record | Announcement;

/**
 * A record that the server holds, cannot read, and has not got back yet. A node that covers its position without a
 * later record of its key answers DATA_LOSS for it: never an absence, and never an earlier record.
 */
export interface Lost extends RecordKey {
  readonly position: Position;
}

export interface LostRecords {
  /** At least one; none has the key of one of the event's records, and none is of the registry. */
  readonly records: readonly Lost[];
  /** What the server covers, every log named: each lost record is no earlier than any write of its key up to here. */
  readonly upTo: VersionVector;
}

export interface Changes {
  readonly kind: 'changes';
  readonly records: readonly Change[];
  /** Unset = none. */
  readonly lost?: LostRecords;
  /** Set if the event closes a consistent step of the live feed: what the follower then covers. */
  readonly step?: Step;
  /** Set in scans: what the follower stores in the same batch, so that a broken scan goes on. */
  readonly token?: string;
  /** Set in scans in record order: the event shows all records of the scope after `after` up to and with `through`. */
  readonly range?: ScanRange;
  /** Wall time of the commit at its origin, for propagation metrics; live steps alone. */
  readonly committedAtMs?: number;
  /** Writes whose travel is tracked: the follower says soon that it has applied the event. Unset = none. */
  readonly tracks?: readonly ChangeTrack[];
}

/** A tracked write, numbered by the node that sends it. */
export interface ChangeTrack {
  readonly id: number;
  readonly position: Position;
}

/** All that the event says of keys: records, and lost records. */
export function toldIn({ records, lost }: Pick<Changes, 'records' | 'lost'>): ReadonlyArray<Change | Lost> {
  return lost === undefined ? records : [...records, ...lost.records];
}

/** A range of the key space; an open end is unset. */
export interface ScanRange {
  readonly after?: RecordKey;
  readonly through?: RecordKey;
}

/** What the server knows at the end of a consistent step. */
export interface Step {
  /** What the server covers, folded. */
  readonly vector: VersionVector;
  /** What every member covers, folded (rule R19). */
  readonly stable: VersionVector;
  /** For a watch: it was shown records that the vector does not reach, so it may not resume from there. */
  readonly behind?: true;
}

/** The scan is done: the follower covers `vector`; from here on events follow the server's own order of commits. */
export interface CaughtUp extends Step {
  readonly kind: 'caught-up';
  /** The highest purged sequence of each log (rule R8). */
  readonly floor: VersionVector;
}

/** Comes after everything that was committed before its probe arrived (rule R10). */
export interface Echo {
  readonly kind: 'echo';
  readonly id: number;
  /** The server's own bound as it was when the probe came; unset = unknown. */
  readonly bound?: Bound;
  readonly wallMs: number;
  /** As in `opened`. */
  readonly rootWallMs?: number;
  readonly rootAgeMs?: number;
}
