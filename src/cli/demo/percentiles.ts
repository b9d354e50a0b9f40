/** How long each of a number of like things took. */
export interface Percentiles {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** By nearest rank. Undefined of nothing: no figure is not 0. */
export function percentilesOf(elapsedMs: readonly number[]): Percentiles | undefined {
  const sorted = [...elapsedMs].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  const [p50Ms, p99Ms] = [rank(0.5), rank(0.99)];
  if (p50Ms === undefined || p99Ms === undefined) return undefined;
  return { count: sorted.length, p50Ms, p99Ms };
}
