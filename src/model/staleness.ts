import type { OriginId } from './position.ts';

/**
 * A proven upper bound on age, in milliseconds: all that the root origin had committed `boundMs` ago is reflected.
 * `undefined` wherever a bound is expected means *unknown*, which is not zero.
 */
export interface Bound {
  readonly boundMs: number;
  /** The origin against which the bound was proven. */
  readonly root: OriginId;
}
