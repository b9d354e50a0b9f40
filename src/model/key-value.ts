import type { Call } from './call.ts';
import type { NamespaceId } from './namespace.ts';
import type { MemberId, Position } from './position.ts';
import type { Record } from './record.ts';
import type { Session } from './session.ts';
import type { Bound } from './staleness.ts';
import type { Stamp } from './stamp.ts';
import type { VersionVector } from './version-vector.ts';

/** Waits for the value of one get, and for nothing else of its record. */
export interface ValueWaiter {
  /** Undefined = absent. It may share a larger buffer, and must not be written into. */
  value(value: Uint8Array | undefined, session: Session): void;
  reject(error: unknown): void;
}

/** Reads and writes of one cluster. The implementation checks keys and limits. */
export interface KeyValue {
  /**
   * The answer to a read, if it can be given at once: from memory, or by a synchronous look at the disk. Undefined if
   * `get` must be asked: the key is not known here, what is held is too old for the request or does not cover its
   * session, or the request is to be refused.
   * Throws nothing. A server of reads asks here first: a hit costs no promise.
   */
  peek(request: GetRequest): GetAnswer | undefined;
  /**
   * Reads one key. An absent key is an answer.
   * @throws INVALID_ARGUMENT, NOT_FOUND (unknown namespace), UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED
   */
  get(request: GetRequest, call: Call): Promise<GetAnswer>;
  /** Lists one page of keys in the order of their UTF-8 bytes. @throws as `get`; a bad cursor is INVALID_ARGUMENT */
  list(request: ListRequest, call: Call): Promise<ListAnswer>;
  /**
   * Applies all mutations or none. Acknowledged means synced to an origin's disk.
   * @throws as `get`; FAILED_PRECONDITION if a condition is not met. DEADLINE_EXCEEDED promises nothing.
   */
  write(request: WriteRequest, call: Call): Promise<WriteAnswer>;
}

/** What a reader accepts. */
export interface ReadOptions {
  /** Title or id. */
  readonly namespace: string;
  readonly session: Session;
  /** Milliseconds; the bound that the reader accepts. 0 asks the origin. Default: the node's own. */
  readonly maxStalenessMs?: number;
  /** The answer must come from an origin. */
  readonly atOrigin?: boolean;
}

export interface GetRequest extends ReadOptions {
  readonly key: string;
}

/** Where an answer's data were read. */
export type Source = 'origin' | 'copy' | 'cache';

export interface Provenance {
  /** The namespace's id, so that a caller who gave a title learns it. */
  readonly namespace: NamespaceId;
  readonly source: Source;
  /** Unset = unknown. */
  readonly bound?: Bound;
  /** True if the bound is larger than what was asked for, or unknown although one was asked for. */
  readonly past: boolean;
  /** The covered vector of the node that read the data, for the scope that they belong to (rules R13, R14). */
  readonly covered: VersionVector;
  /** The origin or edge whose answer it is. */
  readonly responder: string;
  /** The request's session and what the answer shows: the session to go on with (rule R14). */
  readonly session: Session;
}

export interface GetAnswer extends Provenance {
  /**
   * What is known of the key: a readable live record, a tombstone (also of a record that has expired), or `undefined`
   * for an absence of which no write is known. Only a live record is found.
   */
  readonly record: Record | undefined;
}

/** The bytes of the value that an answer brings; 0 if it brings none. */
export function valueBytesOf({ record }: Pick<GetAnswer, 'record'>): number {
  return record?.kind === 'live' ? record.value.byteLength : 0;
}

export interface ListRequest extends ReadOptions {
  readonly prefix: string;
  /** 1 to 1000. */
  readonly limit: number;
  /** From an earlier page with the same namespace and prefix. */
  readonly cursor?: string;
}

export interface ListedKey {
  readonly key: string;
  /**
   * The record is held and damaged: a read of the key ends with DATA_LOSS. Whether it is a value, a deletion or has
   * expired is unknown, so its stamp is the earliest and its size 0.
   */
  readonly damaged?: true;
  readonly stamp: Stamp;
  readonly metadata?: string;
  readonly expiresAt?: number;
  readonly valueBytes: number;
}

export interface ListAnswer extends Provenance {
  readonly keys: readonly ListedKey[];
  /** Unset exactly where the list is complete. An empty page with a cursor is possible. */
  readonly cursor?: string;
}

/** A version never matches a tombstone or an expired record. */
export type Condition = { readonly kind: 'absent' } | { readonly kind: 'version'; readonly version: Stamp };

/** Seconds from the origin's now, ≥ 1; or seconds since 1970, in the future. */
export type Expiry =
  | { readonly kind: 'in'; readonly seconds: number }
  | { readonly kind: 'at'; readonly seconds: number };

export interface PutMutation {
  readonly kind: 'put';
  readonly key: string;
  readonly value: Uint8Array;
  /** JSON text. */
  readonly metadata?: string;
  readonly expiry?: Expiry;
  readonly condition?: Condition;
}

export interface DeleteMutation {
  readonly kind: 'delete';
  readonly key: string;
  readonly condition?: Condition;
}

export type Mutation = PutMutation | DeleteMutation;

/** On how many origins' disks a write must be before it is answered, the fewest first. */
export const durabilities = ['local', 'majority', 'all'] as const;
export type Durability = (typeof durabilities)[number];

export interface WriteRequest {
  /** Title or id; resolved where the write is stamped. */
  readonly namespace: string;
  /** 1 to 10,000; applied in order; 100 MB in all. */
  readonly mutations: readonly Mutation[];
  readonly session: Session;
  /** Default: the cluster's. */
  readonly durability?: Durability;
  /** Milliseconds to wait for it, less than the call's deadline; past that the answer tells the level reached. */
  readonly durabilityTimeoutMs?: number;
  /** Its last mutation is tracked on its way to all nodes: `NodeStatus.tracks` of the origin that takes it. */
  readonly tracked?: true;
}

export interface Written {
  readonly stamp: Stamp;
  readonly position: Position;
  /** As computed by the origin, also from a ttl. */
  readonly expiresAt?: number;
}

export interface WriteAnswer {
  readonly namespace: NamespaceId;
  /** The member that took the write. */
  readonly origin: MemberId;
  /** One for each mutation, in their order. */
  readonly written: readonly Written[];
  /** The level that was reached. */
  readonly durability: Durability;
  /** The origin's covered vector after the write. */
  readonly covered: VersionVector;
  /** The request's session and what was written: the session to go on with (rule R14). */
  readonly session: Session;
}
