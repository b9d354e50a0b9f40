import type { LiveRecord, Record } from '../../model/record.ts';

/** Milliseconds around an expiry, besides the permitted skew of clocks, within which nodes may disagree. */
export const expiryMarginMs = 2000;

/**
 * True if two nodes that cover the same writes of a key hold different things. Deletions are not compared: one node may
 * know a tombstone that the other has purged. Nor are records that expire about now, or have expired by the other
 * node's clock alone.
 */
export function differs(held: Record | undefined, found: Record | undefined, nowMs: number, skewMs: number): boolean {
  if (held?.kind !== 'live' && found?.kind !== 'live') return false;
  if (found?.kind === 'tombstone' && found.expiresAt !== undefined && found.stamp === held?.stamp) return false;
  const until = Math.min(expiryOf(held), expiryOf(found));
  if (until <= nowMs + skewMs + expiryMarginMs) return false;
  return held?.kind !== 'live' || found?.kind !== 'live' || !sameContents(held, found);
}

function expiryOf(record: Record | undefined): number {
  return record?.expiresAt === undefined ? Number.POSITIVE_INFINITY : record.expiresAt * 1000;
}

function sameContents(a: LiveRecord, b: LiveRecord): boolean {
  const same = a.stamp === b.stamp && a.metadata === b.metadata && a.expiresAt === b.expiresAt;
  return same && Buffer.compare(a.value, b.value) === 0;
}
