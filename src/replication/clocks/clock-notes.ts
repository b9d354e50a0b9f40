import type { ClockStatus } from '../../model/cluster.ts';

/** Milliseconds: a clock that is ahead by less is not reported; within the hold time, rates alone may cause it. */
const waitsTold = 2000;

/** What an operator has to know of a node's clock. */
export function clockNotes({ offsetMs, skewMaxMs, aheadMs }: ClockStatus): readonly string[] {
  const isOff = offsetMs !== undefined && Math.abs(offsetMs) > skewMaxMs;
  const isAhead = aheadMs !== undefined && aheadMs > Math.max(waitsTold, skewMaxMs);
  return [
    ...(isOff
      ? [
          `its clock is ${text(Math.abs(offsetMs))} ${offsetMs > 0 ? 'ahead of' : 'behind'} its upstream's, and ${text(skewMaxMs)} are permitted: set it right (values expire by the upstream's)`,
        ]
      : []),
    ...(isAhead
      ? [
          `the clock by which values expire is ${text(aheadMs)} ahead of what is relied on: what has expired by it reads as absent, and is kept until that has held for some minutes`,
        ]
      : []),
  ];
}

function text(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}
