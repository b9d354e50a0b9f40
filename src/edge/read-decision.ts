/** What a read is decided by. Nothing else counts: no clock, no store, no connection. */
export interface ReadCase {
  /**
   * `valid`: an entry (an absence too) that the feed has named no later stamp of. `superseded`: one that it has; it keeps
   * its value for stale-if-error alone. `nothing`: not held, or held by a scope that never caught up.
   */
  readonly held: 'nothing' | 'valid' | 'superseded';
  /** Milliseconds; unset = unknown, which is not zero. */
  readonly boundMs: number | undefined;
  /** What is held satisfies the session of the request (rule R14). */
  readonly sessionCovered: boolean;
  /** Milliseconds that the read accepts: its own, else the node's. */
  readonly maxStalenessMs: number;
  /** True where the read itself said so. */
  readonly explicit: boolean;
  /** The answer must come from an origin. */
  readonly atOrigin: boolean;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** False where every upstream has failed just now. */
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
 * Whether what is held is served at once to a read of these wishes, if it is valid and meets the session: its bound is known,
 * and at most `byMs` milliseconds above what the read accepts.
 */
export function isFresh(
  boundMs: number | undefined,
  { maxStalenessMs, atOrigin }: Pick<ReadCase, 'maxStalenessMs' | 'atOrigin'>,
  byMs: number,
): boolean {
  const asksOrigin = atOrigin || maxStalenessMs === 0;
  return !asksOrigin && boundMs !== undefined && boundMs <= maxStalenessMs + byMs;
}

/** An unknown bound satisfies nothing that was asked for, but does where nothing was. */
export function mayServeStale(read: ReadCase): boolean {
  const { held, boundMs, maxStalenessMs, staleIfErrorMs } = read;
  if (held === 'nothing' || !read.sessionCovered || read.atOrigin || maxStalenessMs === 0) return false;
  if (boundMs === undefined) return !read.explicit && held === 'valid';
  return boundMs <= maxStalenessMs + staleIfErrorMs;
}
