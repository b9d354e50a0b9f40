import type { ServerResponse } from 'node:http';
import type { Provenance } from '../../model/key-value.ts';

/** The header in which each answer to a read says where it comes from: the runtime of Workers looks for this one. */
export const cacheStatusHeader = 'CF-Cache-Status';

export type CacheStatus = 'HIT' | 'MISS' | 'STALE';

/** `STALE` where the answer may be older than what was asked for, as it could not be had fresher. */
export function cacheStatus({ source, past }: Pick<Provenance, 'source' | 'past'>): CacheStatus {
  if (past) return 'STALE';
  return source === 'origin' ? 'MISS' : 'HIT';
}

/** Says so of an answer that is yet to be sent. */
export function tellCacheStatus(response: ServerResponse, answer: Pick<Provenance, 'source' | 'past'>): void {
  response.setHeader(cacheStatusHeader, cacheStatus(answer));
}

/** Says so of all the answers that one response shows: the worst of them. */
export function tellWorstStatus(response: ServerResponse, answers: ReadonlySet<CacheStatus>): void {
  const worst = (['STALE', 'MISS', 'HIT'] as const).find((status) => answers.has(status));
  if (worst !== undefined) response.setHeader(cacheStatusHeader, worst);
}
