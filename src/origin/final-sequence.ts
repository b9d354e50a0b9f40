import type { KnownLog, Report } from '../model/cluster.ts';
import type { Retirement } from '../replication/membership.ts';

/**
 * The highest that a survivor covers; or, where they know different lives of its disk, the last that the lives share. What
 * the witness, the origin itself, holds beyond all survivors goes with it: it tells of its lives alone.
 */
export function finalSequence(survivors: readonly KnownLog[], witness?: KnownLog): number {
  let final = Math.max(0, ...survivors.map(({ sequence }) => sequence));
  const reports = witness === undefined ? survivors : [...survivors, witness];
  for (const a of reports) for (const b of reports) final = Math.min(final, forkOf(a, b));
  return final;
}

/**
 * The earlier removals whose final sequence nobody covers who is left, at what those do cover: who was to bring the rest is
 * being removed, and homes and sessions would wait for it for ever (rule R23).
 */
export function restated(earlier: readonly Retirement[], reports: readonly Pick<Report, 'covered'>[]): Retirement[] {
  return earlier.flatMap((retirement) => {
    const held = Math.max(0, ...reports.map(({ covered }) => covered.get(retirement.id) ?? 0));
    return held < retirement.final ? [{ ...retirement, final: held }] : [];
  });
}

/** Where `b` covers sequences of an opening that only `a` knows, it knows them from another life of the disk (rule R16). */
function forkOf(a: KnownLog, b: KnownLog): number {
  const shared = a.history.findLastIndex(({ epoch, first }) =>
    b.history.some((other) => other.epoch === epoch && other.first === first),
  );
  const unshared = a.history[shared + 1];
  const known = a.history.length > 0 && b.history.length > 0;
  return known && unshared !== undefined && b.sequence >= unshared.first
    ? unshared.first - 1
    : Number.POSITIVE_INFINITY;
}
