import type { Cursor } from './epoch.ts';
import type { NamespaceId } from './namespace.ts';
import type { VersionVector } from './version-vector.ts';

/** A stretch of the keys of one namespace that start with `prefix`. */
export interface Stretch {
  readonly namespace: NamespaceId;
  readonly prefix: string;
  /** Behind this key; unset = from the first on. */
  readonly after?: string;
  /** Up to and with this key; unset = to the last. */
  readonly through?: string;
}

export interface RangeDigestRequest extends Stretch {
  /** Seconds since 1970: records that have expired by then are left out. */
  readonly second: number;
  /** Also a mark of each record. */
  readonly marks: boolean;
  /** What the node that asks covers: its vector means the same to both only where they know the same lives of disks (rule R16). */
  readonly cursor: Cursor;
}

/**
 * A digest of the live records of a stretch. Two that were made for the same stretch and second, by nodes that had the
 * same writes of it, are equal exactly when their records are.
 */
export interface RangeDigest {
  /** What the node covered when it looked, of the part that the stretch belongs to. It may have held more. */
  readonly vector: VersionVector;
  /** Where the stretch that it speaks of ends: before the one asked for, where the node's bounds ended it. */
  readonly through?: string;
  /** Live records that had not expired. */
  readonly records: number;
  /** SHA-256 over the marks' hashes, in record order; hex. */
  readonly digest: string;
  /** In record order; empty where none were asked for. */
  readonly marks: readonly Mark[];
}

export interface Mark {
  readonly key: string;
  /** The first 16 bytes of SHA-256 over key, stamp, metadata, expiry and value; hex. */
  readonly hash: string;
}
