import type { Provenance } from '../model/key-value.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Moment, sinceMs } from '../runtime/moment.ts';

export interface AgeTerms {
  readonly clock: Clock;
  /** Milliseconds by which the wall clock may outrun the monotonic one before the age of a moment is unknown. */
  readonly clockSkewMsMax: number;
}

/** An answer that came, or was asked for, at that moment: its data have aged since. */
export function agedSince<A extends Provenance>(answer: A, since: Moment, { clock, clockSkewMsMax }: AgeTerms): A {
  const { bound, ...unknown } = answer;
  if (bound === undefined) return answer;
  const byMs = sinceMs(since, clock, clockSkewMsMax);
  return byMs === undefined ? (unknown as A) : { ...answer, bound: { ...bound, boundMs: bound.boundMs + byMs } };
}

/** The answer, marked as past if its bound is unknown or larger than the reader asked for. A 0 asks the origin. */
export function judged<A extends Provenance>(answer: A, maxStalenessMs: number | undefined): A {
  if (maxStalenessMs === undefined || maxStalenessMs === 0 || answer.past) return answer;
  return answer.bound !== undefined && answer.bound.boundMs <= maxStalenessMs ? answer : { ...answer, past: true };
}
