import type { NamespaceId } from '../../../src/model/namespace.ts';
import type { Record } from '../../../src/model/record.ts';
import { isReadable } from '../../../src/model/record.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import type { VersionVector } from '../../../src/model/version-vector.ts';
import type { Skews } from './origin-clocks.ts';

/** A write as an origin's disk got it, at this moment of virtual time. */
export interface Version {
  readonly record: Record;
  readonly atMs: number;
}

/** Wall time of virtual time 0, by a clock that is right (see VirtualClock). */
export const wallAtStartMs = 1_700_000_000_000;

/** The omniscient history, as one opening of an origin knew it, or as all together did. */
export abstract class Truth {
  abstract written(stamp: Stamp): Version | undefined;

  /** A write that was never lost with every disk that had it. */
  abstract surviving(stamp: Stamp): Version | undefined;

  abstract versions(namespace: NamespaceId, key: string): readonly Version[];

  /** The keys of a namespace that were ever written. */
  abstract keys(namespace: NamespaceId): string[];

  /** What the key may have been at some moment from the one time to the other; undefined = not written yet. */
  abstract between(
    namespace: NamespaceId,
    key: string,
    fromMs: number,
    toMs: number,
  ): ReadonlyArray<Version | undefined>;

  /** What may have been held when this was decided. */
  abstract heldBefore(record: Record): ReadonlyArray<Version | undefined>;

  /** The latest write of the key that the vector covers. */
  abstract covered(namespace: NamespaceId, key: string, vector: VersionVector): Version | undefined;

  /** How far the clocks of origins were off meanwhile, which expiry is judged by. */
  abstract skews(during: During): Skews;

  /** True where what is shown is that write or a later one. Nothing shown means that the key's end may be purged. */
  reflects(required: Version | undefined, shown: { readonly stamp: Stamp } | undefined, during: During): boolean {
    if (required === undefined) return true;
    if (shown !== undefined) return shown.stamp >= required.record.stamp;
    const { namespace, key, stamp } = required.record;
    return this.versions(namespace, key).some(
      ({ record }) => record.stamp >= stamp && this.mayBeAbsent(record, during),
    );
  }

  /** True where some origin's clock may have held the record for deleted or expired at such a moment. */
  mayBeAbsent(record: Record | undefined, during: During): boolean {
    if (during.fromMs === undefined && record?.kind === 'live' && record.expiresAt !== undefined) return true;
    return mayBeAbsent(record, during.toMs + this.skews(during).most);
  }

  /** True where some origin's clock may have held the record for readable at such a moment. */
  mayBeReadable(record: Record | undefined, during: During): boolean {
    if (during.fromMs === undefined) return record?.kind === 'live';
    return mayBeReadable(record, during.fromMs + this.skews(during).least);
  }
}

/** The moments that an answer may speak of. Unset `fromMs`: it does not say. */
export interface During {
  readonly fromMs: number | undefined;
  readonly toMs: number;
}

/** Milliseconds by which clocks are off that nobody calls wrong, at the most. */
export const skewMsMax = 40;

/** True where a clock that is about right may hold the record for deleted or expired at this moment. */
export function mayBeAbsent(record: Record | undefined, nowMs: number): boolean {
  return !isReadable(record, wallAtStartMs + nowMs + skewMsMax);
}

/** True where a clock that is about right may hold the record for readable at this moment. */
export function mayBeReadable(record: Record | undefined, nowMs: number): boolean {
  return isReadable(record, wallAtStartMs + nowMs - skewMsMax);
}
