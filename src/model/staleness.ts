import type { LogId } from './position.ts';

/**
 * A proven upper bound on age, in milliseconds: all that the root origin, in its present log, had committed `boundMs` ago is reflected.
 * `undefined` wherever a bound is expected means *unknown*, which is not zero.
 */
export interface Bound {
  readonly boundMs: number;
  /** The present log of the origin against which the bound was proven: another opening of it proves anew. */
  readonly root: LogId;
}

/** The largest of several bounds; unknown where any is, or there is none. */
export function worstBound(boundsMs: ReadonlyArray<number | undefined>): number | undefined {
  const known = boundsMs.filter((boundMs) => boundMs !== undefined);
  return known.length < boundsMs.length || known.length === 0 ? undefined : Math.max(...known);
}
