import { type LogId, type Position, parseLogId } from './position.ts';

/**
 * Log id → sequence, absent = 0. What each vector of the system claims is said where it is held. These functions
 * compare component by component. What a sealed log implies depends on a node's knowledge of logs
 * (src/replication/logs.ts).
 */
export type VersionVector = ReadonlyMap<LogId, number>;

export const emptyVector: VersionVector = new Map();

/** True where `a` reaches at least as far as `b` in every component. */
export function covers(a: VersionVector, b: VersionVector): boolean {
  for (const [log, sequence] of b) if ((a.get(log) ?? 0) < sequence) return false;
  return true;
}

export function coversPosition(a: VersionVector, position: Position): boolean {
  return (a.get(position.log) ?? 0) >= position.sequence;
}

export function equalVectors(a: VersionVector, b: VersionVector): boolean {
  return covers(a, b) && covers(b, a);
}

/** The component-wise maximum. Returns `a` itself if `b` adds nothing. */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (covers(a, b)) return a;
  const joined = new Map(a);
  for (const [log, sequence] of b) if ((joined.get(log) ?? 0) < sequence) joined.set(log, sequence);
  return joined;
}

/** The component-wise minimum; a component that either lacks is 0 and left out. */
export function meetVectors(a: VersionVector, b: VersionVector): VersionVector {
  const met = new Map<LogId, number>();
  for (const [log, sequence] of a) {
    const least = Math.min(sequence, b.get(log) ?? 0);
    if (least > 0) met.set(log, least);
  }
  return met;
}

/** The vector together with this position, if there is one. */
export function withPosition(vector: VersionVector, position: Position | undefined): VersionVector {
  if (position === undefined) return vector;
  const { log, sequence } = position;
  if (sequence === 0 || (vector.get(log) ?? 0) >= sequence) return vector;
  return new Map(vector).set(log, sequence);
}

/** `log:sequence,…` in the order of logs: for log lines, status and digests. */
export function formatVector(vector: VersionVector): string {
  return [...vector]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([log, sequence]) => `${log}:${sequence}`)
    .join(',');
}

/** The vector of these components, as JSON has them; undefined if they are none. */
export function parseVector(components: unknown): VersionVector | undefined {
  if (!Array.isArray(components)) return undefined;
  const vector = new Map<LogId, number>();
  for (const component of components as readonly unknown[]) {
    if (!Array.isArray(component) || component.length !== 2) return undefined;
    const [name, sequence] = component as readonly unknown[];
    const log = typeof name === 'string' ? parseLogId(name) : undefined;
    if (log === undefined || typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0) {
      return undefined;
    }
    vector.set(log, sequence);
  }
  return vector;
}
