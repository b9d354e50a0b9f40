import type { Member } from '../../model/cluster.ts';
import type { ErrorCode, ErrorDetails } from '../../model/errors.ts';
import type { Durability, Source } from '../../model/key-value.ts';
import type { NamespaceInfo } from '../../model/namespace.ts';
import type { Position } from '../../model/position.ts';
import type { StatusJson } from '../../model/status-json.ts';

/** The JSON between a node and its page. Both sides are compiled against these types. */

/** What a refused request is answered with. */
export interface ErrorJson extends ErrorDetails {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The cluster as the node sees it: itself, and those around it that answer. */
export interface ViewJson {
  readonly node: StatusJson;
  readonly around: readonly StatusJson[];
  readonly members: readonly Member[];
  /** Why members are not told, where they are not; then there may be more than are listed. */
  readonly membersUnknown?: string;
}

export interface NamespacesJson {
  /** By title, the first of those that were asked for. */
  readonly namespaces: readonly NamespaceInfo[];
  /** How many of them there are. */
  readonly total: number;
}

export interface TitleJson {
  readonly title: string;
}

/** Where an answer comes from; `boundMs` unset = its age is unknown. */
export interface ProvenanceJson {
  readonly source: Source;
  readonly responder: string;
  readonly boundMs?: number;
}

export interface KeysJson extends ProvenanceJson {
  readonly keys: readonly KeyJson[];
  /** Unset exactly where the list is complete. */
  readonly cursor?: string;
}

export interface KeyJson {
  readonly key: string;
  /** Unset where the record is damaged. */
  readonly version?: string;
  /** JSON text. */
  readonly metadata?: string;
  /** Seconds since 1970; unset = never. */
  readonly expiresAt?: number;
  readonly valueBytes: number;
  readonly damaged?: true;
}

/** A record, in the header `meridian-record` of the answer whose body is its value. */
export interface RecordJson extends ProvenanceJson {
  readonly key: string;
  /** False where the key is absent, deleted or expired. */
  readonly found: boolean;
  /** Unset where no write of the key is known; set for a known deletion too. */
  readonly version?: string;
  readonly position?: Position;
  readonly metadata?: string;
  readonly expiresAt?: number;
  readonly valueBytes: number;
  /** True where the value is larger than was asked for: then the body is empty. */
  readonly omitted: boolean;
}

/** A put, or what a deletion takes of it. */
export interface WriteJson {
  /** Title or id. */
  readonly namespace: string;
  readonly key: string;
  /** Of a put: one of the two. */
  readonly text?: string;
  readonly base64?: string;
  /** JSON text. */
  readonly metadata?: string;
  /** Seconds since 1970, or from now; at most one of the two. */
  readonly expiresAt?: number;
  readonly ttl?: number;
  /** The version that is replaced, `absent` for a key that must not be there; unset = whatever is there. */
  readonly ifVersion?: string;
  /** Watch it on its way to all nodes. */
  readonly tracked?: boolean;
}

export interface WrittenJson {
  readonly version: string;
  readonly position: Position;
  /** Member id of the origin that took it. */
  readonly origin: string;
  readonly durability: Durability;
  readonly expiresAt?: number;
}

/** How one write travels, as told by each node that passes it on. */
export interface TrackJson {
  readonly tellers: readonly TellerJson[];
}

export interface TellerJson {
  readonly id: string;
  readonly name: string;
  readonly ageMs: number;
  readonly arrivals: NonNullable<StatusJson['tracks']>[number]['arrivals'];
}
