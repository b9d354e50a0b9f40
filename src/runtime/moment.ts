import type { Clock } from './clock.ts';

/** A moment: by the monotonic clock, and how far the wall clock was from it then. */
export interface Moment {
  readonly atMs: number;
  readonly drift: number;
}

export function momentOf(clock: Clock): Moment {
  const atMs = clock.monotonicMs();
  return { atMs, drift: clock.wallMs() - atMs };
}

/**
 * Milliseconds since then; undefined where the wall clock has outrun the monotonic one by more than `suspendedMsMax`
 * meanwhile: a machine that slept has a monotonic clock that stood still.
 */
export function sinceMs({ atMs, drift }: Moment, clock: Clock, suspendedMsMax: number): number | undefined {
  const nowMs = clock.monotonicMs();
  return clock.wallMs() - nowMs - drift > suspendedMsMax ? undefined : nowMs - atMs;
}
