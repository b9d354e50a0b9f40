import type { NamespaceId } from './namespace.ts';
import { nowhere, type Position } from './position.ts';
import { bottomStamp, type Stamp } from './stamp.ts';

interface Written {
  readonly namespace: NamespaceId;
  readonly key: string;
  readonly stamp: Stamp;
  readonly position: Position;
}

/**
 * A key's value at one stamp. Records are immutable: nobody writes into `value`, whoever holds it.
 */
export interface LiveRecord extends Written {
  readonly kind: 'live';
  /** ≤ 25 MiB; may be empty. */
  readonly value: Uint8Array;
  /** JSON text of ≤ 1024 bytes, as written; absent reads as null. */
  readonly metadata?: string;
  /** Seconds since 1970, whole. From this second on the record reads as absent. */
  readonly expiresAt?: number;
}

/** What is left of a deleted record, or of an expired one: then `expiresAt` says when it ended (rule R9). */
export interface Tombstone extends Written {
  readonly kind: 'tombstone';
  readonly expiresAt?: number;
}

export type Record = LiveRecord | Tombstone;

/** A live record without its value: what lists, expiry and scans read. */
export interface LiveHead extends Omit<LiveRecord, 'value'> {
  readonly valueBytes: number;
}

export type Head = LiveHead | Tombstone;

/** The absence of a key that nobody wrote: the identity of the merge rule, before every write. */
export function absence(namespace: NamespaceId, key: string): Tombstone {
  return { kind: 'tombstone', namespace, key, stamp: bottomStamp, position: nowhere };
}

/** True where the record reads as a value at this time. */
export function isReadable<R extends { readonly kind: 'live' | 'tombstone'; readonly expiresAt?: number }>(
  record: R | undefined,
  nowMs: number,
): record is Extract<R, { kind: 'live' }> {
  return record?.kind === 'live' && (record.expiresAt === undefined || nowMs < record.expiresAt * 1000);
}

/** Expiry in place (rule R9): same stamp, same position, the value dropped. */
export function expireInPlace(head: LiveHead | LiveRecord): Tombstone {
  const { namespace, key, stamp, position, expiresAt } = head;
  return { kind: 'tombstone', namespace, key, stamp, position, ...(expiresAt === undefined ? {} : { expiresAt }) };
}

export function headOf(record: Record): Head {
  if (record.kind === 'tombstone') return record;
  const { value, ...head } = record;
  return { ...head, valueBytes: value.byteLength };
}
