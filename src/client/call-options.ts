import type { Durability } from '../model/key-value.ts';

/** How one call may be given up. */
export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED; more than a day is a day. Default: the cluster handle's. */
  readonly timeoutMs?: number;
  /** Gives the call up: it rejects with CANCELLED. */
  readonly signal?: AbortSignal;
}

/** What a reader accepts. */
export interface ReadOptions extends CallOptions {
  /** Seconds, with fractions: the greatest proven age that is accepted. 0 asks the origin. Default: the node's own. */
  readonly maxStaleness?: number;
  /** The answer must come from an origin. */
  readonly atOrigin?: boolean;
  /** Seconds, as in Workers KV: read as `maxStaleness` where that is not given. */
  readonly cacheTtl?: number;
}

export interface WriteOptions extends CallOptions {
  /** On how many origins' disks the write is before it is answered. Default: the cluster's. */
  readonly durability?: Durability;
  /** Milliseconds to wait for that, less than the call's own time; past it the answer tells the level reached. */
  readonly durabilityTimeoutMs?: number;
}

/** Must hold when a write is decided; else it fails with FAILED_PRECONDITION, `details.versionFound` naming what is there. */
export interface ConditionOptions {
  /** Only where no live record is. */
  readonly ifAbsent?: boolean;
  /** Only where the live record has this version. */
  readonly ifVersion?: string;
}

/** What goes with a value. */
export interface PutContent {
  /** Seconds since 1970. */
  readonly expiration?: number;
  /** Seconds from now, at least 1; wins over `expiration`. */
  readonly expirationTtl?: number;
  /** Any JSON value of at most 1024 bytes as text; `null` = none. */
  readonly metadata?: unknown;
  /** The same as JSON text, which is kept as it stands: numbers beyond 2⁵³ keep their digits. Not beside `metadata`. */
  readonly metadataText?: string;
}

export interface PutOptions extends PutContent, ConditionOptions, WriteOptions {}

export interface DeleteOptions extends ConditionOptions, WriteOptions {}
