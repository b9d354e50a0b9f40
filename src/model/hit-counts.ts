/**
 * Reads that were answered at once, from memory. Plain fields, collected when metrics are scraped: looking a metric's
 * labels up for each read costs more than the read does.
 */
export interface HitCounts {
  found: number;
  absent: number;
}

export function noHits(): HitCounts {
  return { found: 0, absent: 0 };
}

export function countHit(counts: HitCounts, isFound: boolean): void {
  if (isFound) counts.found++;
  else counts.absent++;
}
