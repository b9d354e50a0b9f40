import type { Provenance } from '../model/key-value.ts';

/** An answer that came so many milliseconds ago, or was asked for then: its data are older by as much. */
export function aged<A extends Provenance>(answer: A, byMs: number): A {
  if (answer.bound === undefined || byMs === 0) return answer;
  return { ...answer, bound: { ...answer.bound, boundMs: answer.bound.boundMs + byMs } };
}

/** The answer, marked as past where its bound is unknown or larger than the reader asked for. 0 asks the origin. */
export function judged<A extends Provenance>(answer: A, maxStalenessMs: number | undefined): A {
  if (maxStalenessMs === undefined || maxStalenessMs === 0 || answer.past) return answer;
  return answer.bound !== undefined && answer.bound.boundMs <= maxStalenessMs ? answer : { ...answer, past: true };
}
