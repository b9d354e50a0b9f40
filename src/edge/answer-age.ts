import type { Provenance } from '../model/key-value.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Moment, sinceMs } from '../runtime/moment.ts';

export interface AgeTerms {
  readonly clock: Clock;
  /** Milliseconds by which the wall clock may outrun the monotonic one before nobody knows how long ago a moment was. */
  readonly clockSkewMsMax: number;
}

/** An answer that came at that moment, or was asked for then: its data are older by as much. */
export function agedSince<A extends Provenance>(answer: A, since: Moment, { clock, clockSkewMsMax }: AgeTerms): A {
  const { bound, ...unknown } = answer;
  if (bound === undefined) return answer;
  const byMs = sinceMs(since, clock, clockSkewMsMax);
  return byMs === undefined ? (unknown as A) : { ...answer, bound: { ...bound, boundMs: bound.boundMs + byMs } };
}

/** The answer, marked as past where its bound is unknown or larger than the reader asked for. 0 asks the origin. */
export function judged<A extends Provenance>(answer: A, maxStalenessMs: number | undefined): A {
  if (maxStalenessMs === undefined || maxStalenessMs === 0 || answer.past) return answer;
  return answer.bound !== undefined && answer.bound.boundMs <= maxStalenessMs ? answer : { ...answer, past: true };
}
