import { table } from '../table.ts';
import { type Percentiles, percentilesOf } from './percentiles.ts';
import type { RegionPlan } from './regions.ts';

/** What was measured in one region, so far. */
export interface RegionFigures {
  hotMs: readonly number[];
  coldMs: readonly number[];
  originMs: readonly number[];
  propagationMs: readonly number[];
  /** Of the scope that is proven least; unset = unknown. */
  boundMs: number | undefined;
  /** Unset where no read has been answered yet. */
  hitRate: number | undefined;
}

export function noFigures(): RegionFigures {
  return { hotMs: [], coldMs: [], originMs: [], propagationMs: [], boundMs: undefined, hitRate: undefined };
}

const headings = [
  ...['region', 'round trip', 'hot read p50 / p99', 'cold read p50 / p99', 'at the origin p50 / p99'],
  ...['propagation p50 / p99', 'proven staleness', 'hit rate'],
];

/** One line a region: the same reads answered by the edge and by the origin, side by side. */
export function regionTable(rows: ReadonlyArray<readonly [RegionPlan, RegionFigures]>): string {
  return table(
    headings,
    rows.map(([plan, figures]) => [
      plan.name,
      `${plan.roundTripMs} ms`,
      span(percentilesOf(figures.hotMs)),
      span(percentilesOf(figures.coldMs)),
      span(percentilesOf(figures.originMs)),
      span(percentilesOf(figures.propagationMs)),
      figures.boundMs === undefined ? 'unknown' : `≤ ${milliseconds(figures.boundMs)}`,
      figures.hitRate === undefined ? '-' : `${(figures.hitRate * 100).toFixed(1)} %`,
    ]),
  );
}

export function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
}

function span(percentiles: Percentiles | undefined): string {
  if (percentiles === undefined) return '-';
  return `${milliseconds(percentiles.p50Ms)} / ${milliseconds(percentiles.p99Ms)}`;
}
