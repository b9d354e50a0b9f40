import type { Changes } from '../model/feed.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { OriginId } from '../model/position.ts';
import type { Head, Record } from '../model/record.ts';
import { coversPosition, type VersionVector } from '../model/version-vector.ts';

/** What a copy or origin judges by that was told to resync (rule R7). */
export interface Sweep {
  /** The server's covered vector of the scan's snapshot. */
  readonly vector: VersionVector;
  /** The origin whose own log the server holds; undefined where nothing is concluded from that. */
  readonly server: OriginId | undefined;
  /** What is kept of the logs of removed origins. Empty where this node adopts what it holds beyond (rule R23). */
  readonly finals: VersionVector;
}

/**
 * True where the server must have had what is held: what it does not show it has purged, or lost with its disk. And where
 * nobody keeps it: what survivors held of a removed origin beyond its final sequence has another place now.
 */
export function isForgotten({ position }: Pick<Head, 'position'>, { vector, server, finals }: Sweep): boolean {
  const { origin, sequence } = position;
  const beyond = sequence > (finals.get(origin) ?? Number.POSITIVE_INFINITY);
  return beyond || origin === server || coversPosition(vector, position);
}

/**
 * The keys of the registry among what a sweep removed that the server may have yet to hear of: who adopted it may bring it
 * again, so that a namespace which went is not known to be dead.
 */
export function lostOf(removed: readonly Head[], { vector }: Sweep): string[] {
  const lost = removed.filter(({ position }) => !coversPosition(vector, position));
  return lost.filter(({ namespace }) => namespace === registryNamespace).map(({ key }) => key);
}

/**
 * True where the server shows an older record than it must have had: a part of its history was rolled back, and what
 * it shows now counts (rule R16). Its live steps bring again what was written since the scan's snapshot.
 */
export function isRewritten(shown: Record, held: Head | undefined, sweep: Sweep | undefined): boolean {
  if (held === undefined || sweep === undefined || shown.stamp >= held.stamp) return false;
  return isForgotten(held, sweep);
}

/**
 * What an event that shows more besides shows of the registry. A sweep takes that first: a namespace may live whose
 * deletion was lost, and then the rest of the event is of a living one.
 */
export function registryOf({ records }: Changes): Changes | undefined {
  const registry = records.filter(({ namespace }) => namespace === registryNamespace);
  if (registry.length === 0 || registry.length === records.length) return undefined;
  return { kind: 'changes', records: registry };
}
