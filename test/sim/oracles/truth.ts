import { mapKey } from '../../../src/model/key.ts';
import type { NamespaceId } from '../../../src/model/namespace.ts';
import type { Record } from '../../../src/model/record.ts';
import { isReadable } from '../../../src/model/record.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import { coversPosition, type VersionVector } from '../../../src/model/version-vector.ts';

/** A write as an origin's disk got it, at this moment of virtual time. */
export interface Version {
  readonly record: Record;
  readonly atMs: number;
}

/** Wall time of virtual time 0, by a clock that is right (see VirtualClock). */
export const wallAtStartMs = 1_700_000_000_000;

/** The omniscient history of one origin: every version of every key, in the order in which its disk got them. */
export class Truth {
  readonly #versions = new Map<string, Version[]>();
  readonly #byStamp = new Map<Stamp, Version>();

  /** True where this write was not known yet. An expiry in place is the same write. */
  committed(record: Record, atMs: number): boolean {
    if (this.#byStamp.has(record.stamp)) return false;
    const version = { record, atMs };
    this.#byStamp.set(record.stamp, version);
    const name = mapKey(record.namespace, record.key);
    const versions = this.#versions.get(name);
    if (versions === undefined) this.#versions.set(name, [version]);
    else versions.push(version);
    return true;
  }

  /** A write that a later one of the same commit took the place of: it was acknowledged, and never was on a disk. */
  replaced(record: Record): void {
    const versions = this.#versions.get(mapKey(record.namespace, record.key));
    const later = versions?.findIndex((version) => version.record.stamp > record.stamp) ?? -1;
    const by = versions?.[later];
    if (versions === undefined || by === undefined || this.#byStamp.has(record.stamp)) return;
    const version = { record, atMs: by.atMs };
    versions.splice(later, 0, version);
    this.#byStamp.set(record.stamp, version);
  }

  /** What is not among these was lost with the disk that held it. */
  rolledBackTo(records: Iterable<Record>): void {
    const kept = new Set<Stamp>();
    for (const { stamp } of records) kept.add(stamp);
    for (const [name, versions] of this.#versions) {
      // An earlier version that a kept one superseded is history as before; what came after the image is none.
      const last = versions.findLastIndex(({ record }) => kept.has(record.stamp));
      for (const { record } of versions.splice(last + 1)) this.#byStamp.delete(record.stamp);
      if (versions.length === 0) this.#versions.delete(name);
    }
  }

  written(stamp: Stamp): Version | undefined {
    return this.#byStamp.get(stamp);
  }

  /** A write that was not lost with every disk that had it. */
  surviving(stamp: Stamp): Version | undefined {
    return this.#byStamp.get(stamp);
  }

  versions(namespace: NamespaceId, key: string): readonly Version[] {
    return this.#versions.get(mapKey(namespace, key)) ?? [];
  }

  /** The keys of a namespace that were ever written. */
  keys(namespace: NamespaceId): string[] {
    return [...this.#versions.keys()]
      .filter((name) => name.startsWith(namespace))
      .map((name) => name.slice(mapKey(namespace, '').length));
  }

  /** What the key may have been at some moment from the one time to the other; undefined = not written yet. */
  between(namespace: NamespaceId, key: string, fromMs: number, toMs: number): ReadonlyArray<Version | undefined> {
    const versions = this.versions(namespace, key);
    const first = versions.findLastIndex(({ atMs }) => atMs <= fromMs);
    const possible: Array<Version | undefined> = first < 0 ? [undefined] : [];
    for (const version of versions.slice(Math.max(0, first))) if (version.atMs <= toMs) possible.push(version);
    return possible;
  }

  /** What may have been held when this was decided. */
  heldBefore({ namespace, key, stamp }: Record): ReadonlyArray<Version | undefined> {
    return [this.versions(namespace, key).findLast(({ record }) => record.stamp < stamp)];
  }

  /** The latest write of the key that the vector covers. */
  covered(namespace: NamespaceId, key: string, vector: VersionVector): Version | undefined {
    return this.versions(namespace, key).findLast(({ record }) => coversPosition(vector, record.position));
  }

  /** True where what is shown is that write or a later one. Nothing shown means that the key's end may be purged. */
  reflects(required: Version | undefined, shown: { readonly stamp: Stamp } | undefined, nowMs: number): boolean {
    if (required === undefined) return true;
    if (shown !== undefined) return shown.stamp >= required.record.stamp;
    const { namespace, key, stamp } = required.record;
    return this.versions(namespace, key).some(({ record }) => record.stamp >= stamp && mayBeAbsent(record, nowMs));
  }
}

/** Milliseconds by which any clock of a run is off, at the most. */
export const skewMsMax = 40;

/** True where some node's clock may hold the record for deleted or expired at this moment. */
export function mayBeAbsent(record: Record | undefined, nowMs: number): boolean {
  return !isReadable(record, wallAtStartMs + nowMs + skewMsMax);
}

/** True where some node's clock may hold the record for readable at this moment. */
export function mayBeReadable(record: Record | undefined, nowMs: number): boolean {
  return isReadable(record, wallAtStartMs + nowMs - skewMsMax);
}
