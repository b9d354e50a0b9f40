import { beforeEach, describe, expect, it } from 'vitest';
import type { LogId } from '../../src/model/position.ts';
import { StalenessTracker } from '../../src/replication/following/staleness-tracker.ts';
import { log } from './registry-records.ts';

describe('how old a scope may be', () => {
  let nowMs: number;
  /** The wall clock minus the monotonic one. */
  let aheadMs: number;
  let tracker: StalenessTracker;

  beforeEach(() => {
    nowMs = 1000;
    aheadMs = 1_000_000;
    const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs + aheadMs, timer: () => ({ cancel: () => {} }) };
    tracker = new StalenessTracker(clock, 500);
  });

  const echoed = (id: number, root: LogId = log(1), boundMs = 0) => tracker.echoed({ id, bound: { boundMs, root } });

  it('counts from the probe, and is unknown before the first echo', () => {
    expect(tracker.bound()).toBe(undefined);
    const probe = tracker.probe();
    nowMs += 80;
    echoed(probe, log(1), 20);
    nowMs += 15;
    expect(tracker.bound()).toEqual({ boundMs: 115, root: log(1) });
  });

  it('is unknown once the machine has slept, also where it slept between a probe and its echo', () => {
    echoed(tracker.probe());
    const before = tracker.probe();
    aheadMs += 600_000;
    expect(tracker.bound()).toBe(undefined);
    expect(tracker.roundTripMs({ id: before }), 'nobody knows how long it took').toBe(undefined);
    echoed(before);
    expect(tracker.bound(), 'what was echoed is ten minutes old').toBe(undefined);
    echoed(tracker.probe());
    expect(tracker.bound()).toEqual({ boundMs: 0, root: log(1) });
  });

  it('is not made worse by a server that knows less of the same root, and follows the echo of another root', () => {
    echoed(tracker.probe());
    echoed(tracker.probe(), log(1), 300);
    expect(tracker.bound()).toEqual({ boundMs: 0, root: log(1) });
    echoed(tracker.probe(), log(2), 300);
    expect(tracker.bound()).toEqual({ boundMs: 300, root: log(2) });
  });
});
