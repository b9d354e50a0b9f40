import type { NamespaceId } from './namespace.ts';
import type { VersionVector } from './version-vector.ts';

/** A range of the keys of one namespace that start with `prefix`. */
export interface DigestedRange {
  readonly namespace: NamespaceId;
  readonly prefix: string;
  /** After this key; unset = from the first on. */
  readonly after?: string;
  /** Up to and with this key; unset = to the last. */
  readonly through?: string;
}

export interface RangeDigestRequest extends DigestedRange {
  /** Seconds since 1970: records that have expired by then are left out. */
  readonly second: number;
  /** Also a hash of each record. */
  readonly hashes: boolean;
}

/**
 * A digest of the live records of a range. Two that were made for the same range and second, by nodes that had the
 * same writes of it, are equal exactly when their records are.
 */
export interface RangeDigest {
  /** What the node covered when it looked, in the scope that the range belongs to. It may have held more. */
  readonly vector: VersionVector;
  /** Where the digested range ends: before the end asked for, if the node's bounds cut it short. */
  readonly through?: string;
  /** Live records that had not expired. */
  readonly records: number;
  /** SHA-256 over the records' hashes, in record order; hex. */
  readonly digest: string;
  /** In record order; empty if none were asked for. */
  readonly hashes: readonly KeyHash[];
}

export interface KeyHash {
  readonly key: string;
  /** The first 16 bytes of SHA-256 over key, stamp, metadata, expiry and value; hex. */
  readonly hash: string;
}
