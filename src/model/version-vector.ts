import type { OriginId, Position } from './position.ts';

/** Origin id → sequence, absent = 0. What each vector of the system claims is said where it is held. */
export type VersionVector = ReadonlyMap<OriginId, number>;

export const emptyVector: VersionVector = new Map();

/** True where `a` reaches at least as far as `b` in every component. */
export function covers(a: VersionVector, b: VersionVector): boolean {
  for (const [origin, sequence] of b) if ((a.get(origin) ?? 0) < sequence) return false;
  return true;
}

export function coversPosition(a: VersionVector, position: Position): boolean {
  return (a.get(position.origin) ?? 0) >= position.sequence;
}

export function equalVectors(a: VersionVector, b: VersionVector): boolean {
  return covers(a, b) && covers(b, a);
}

/** The component-wise maximum. Returns `a` itself where `b` adds nothing. */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (covers(a, b)) return a;
  const joined = new Map(a);
  for (const [origin, sequence] of b) if ((joined.get(origin) ?? 0) < sequence) joined.set(origin, sequence);
  return joined;
}

/** The component-wise minimum; a component that either lacks is 0 and left out. */
export function meetVectors(a: VersionVector, b: VersionVector): VersionVector {
  const met = new Map<OriginId, number>();
  for (const [origin, sequence] of a) {
    const least = Math.min(sequence, b.get(origin) ?? 0);
    if (least > 0) met.set(origin, least);
  }
  return met;
}

/** The vector, and this position where there is one. */
export function withPosition(vector: VersionVector, position: Position | undefined): VersionVector {
  if (position === undefined) return vector;
  const { origin, sequence } = position;
  if (sequence === 0 || (vector.get(origin) ?? 0) >= sequence) return vector;
  return new Map(vector).set(origin, sequence);
}

/** The components in which `a` falls short of `b`. */
export function missingOrigins(a: VersionVector, b: VersionVector): OriginId[] {
  return [...b].filter(([origin, sequence]) => (a.get(origin) ?? 0) < sequence).map(([origin]) => origin);
}

/** `origin:sequence,…` in the order of origins: for logs, status and digests. */
export function formatVector(vector: VersionVector): string {
  return [...vector]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([origin, sequence]) => `${origin}:${sequence}`)
    .join(',');
}
