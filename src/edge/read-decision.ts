/** All that a read is decided by: no clock, no store, no connection. */
export interface ReadCase {
  /**
   * `valid`: an entry (or an absence) of which the feed has named no later stamp. `superseded`: one of which it has;
   * its value is kept for stale-if-error alone. `nothing`: not held, or held by a scope that never caught up.
   */
  readonly held: 'nothing' | 'valid' | 'superseded';
  /** Milliseconds; unset = unknown, which is not zero. */
  readonly boundMs: number | undefined;
  /** What is held satisfies the session of the request (rule R14). */
  readonly sessionCovered: boolean;
  /** Milliseconds that the read accepts: its own, else the node's. */
  readonly maxStalenessMs: number;
  /** True if the read itself named it. */
  readonly explicit: boolean;
  /** The answer must come from an origin. */
  readonly atOrigin: boolean;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** False if every upstream has failed just now. */
  readonly upstreamThere: boolean;
  /** A load was tried for this read, and failed. */
  readonly loadFailed: boolean;
}

export type ReadDecision = 'serve' | 'serve-and-refresh' | 'load' | 'serve-stale' | 'refuse';

/**
 * What to do with a read. `stale-while-revalidate` and `stale-if-error` have the meaning of RFC 5861; a read that asks
 * the origin (`atOrigin`, or a staleness of 0) is never answered from what is held.
 */
export function decideRead(read: ReadCase): ReadDecision {
  const { boundMs, staleWhileRevalidateMs } = read;
  if (!read.loadFailed && read.held === 'valid' && read.sessionCovered) {
    if (isFresh(boundMs, read, 0)) return 'serve';
    if (isFresh(boundMs, read, staleWhileRevalidateMs)) return 'serve-and-refresh';
  }
  if (read.loadFailed) return mayServeStale(read) ? 'serve-stale' : 'refuse';
  return !read.upstreamThere && mayServeStale(read) ? 'serve-stale' : 'load';
}

/**
 * Whether a held answer is served at once to a read with these wishes, if it is valid and meets the session: its bound
 * is known, and at most `byMs` milliseconds above what the read accepts.
 */
export function isFresh(
  boundMs: number | undefined,
  { maxStalenessMs, atOrigin }: Pick<ReadCase, 'maxStalenessMs' | 'atOrigin'>,
  byMs: number,
): boolean {
  const asksOrigin = atOrigin || maxStalenessMs === 0;
  return !asksOrigin && boundMs !== undefined && boundMs <= maxStalenessMs + byMs;
}

/** An unknown bound satisfies no read that named a staleness; a read that named none accepts it. */
export function mayServeStale(read: ReadCase): boolean {
  const { held, boundMs, maxStalenessMs, staleIfErrorMs } = read;
  if (held === 'nothing' || !read.sessionCovered || read.atOrigin || maxStalenessMs === 0) return false;
  if (boundMs === undefined) return !read.explicit && held === 'valid';
  return boundMs <= maxStalenessMs + staleIfErrorMs;
}
