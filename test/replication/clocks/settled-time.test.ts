import { beforeEach, describe, expect, it } from 'vitest';
import { SettledTime } from '../../../src/replication/clocks/settled-time.ts';
import { HandClock } from './hand-clock.ts';

const hourMs = 3_600_000;
const holdMs = 300_000;
const skewMs = 500;

describe('the time by which values are dropped for good', () => {
  let clock: HandClock;
  let settled: SettledTime;

  /** Looks each second. */
  function pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1000) {
      clock.pass(1000);
      settled.look();
    }
  }

  beforeEach(() => {
    clock = new HandClock();
    settled = new SettledTime({ clock, judgedMs: () => clock.wallMs(), clockHoldMs: holdMs, clockSkewMsMax: skewMs });
    settled.look();
  });

  it('is unknown after a start until the clock has held', () => {
    pass(holdMs - 1000);
    expect(settled.look()).toBeUndefined();
    expect(settled.status()).toEqual({ skewMaxMs: skewMs });
    pass(1000);
    expect(settled.look()).toBe(clock.wallMs());
    expect(settled.status()).toEqual({ skewMaxMs: skewMs, aheadMs: 0 });
  });

  it('is unknown while the clock that it goes by is', () => {
    const unheard = new SettledTime({ clock, judgedMs: () => undefined, clockHoldMs: 0, clockSkewMsMax: skewMs });
    expect(unheard.look()).toBeUndefined();
  });

  it('does not follow a clock that jumps ahead for a moment, again and again', () => {
    pass(holdMs);
    for (let jump = 0; jump < 20; jump++) {
      clock.step(hourMs);
      pass(60_000);
      expect(settled.look()).toBe(clock.wallMs() - hourMs);
      expect(settled.status()).toEqual({ skewMaxMs: skewMs, aheadMs: hourMs });
      clock.step(-hourMs);
      pass(30_000);
      expect(settled.look()).toBe(clock.wallMs());
    }
  });

  it('does not follow a clock of which nothing is heard any more, however long that lasts', () => {
    let seenMs = clock.monotonicMs();
    const bounds = { clockHoldMs: holdMs, clockSkewMsMax: skewMs };
    settled = new SettledTime({ clock, judgedMs: () => clock.wallMs(), seenMs: () => seenMs, ...bounds });
    const passHearing = (ms: number) => {
      for (let passed = 0; passed < ms; passed += 1000) {
        clock.pass(1000);
        seenMs = clock.monotonicMs();
        settled.look();
      }
    };
    passHearing(holdMs + 1000);
    clock.step(hourMs);
    passHearing(60_000);
    pass(10 * holdMs);
    expect(settled.look()).toBe(clock.wallMs() - hourMs);
    passHearing(2 * holdMs);
    expect(settled.look()).toBe(clock.wallMs());
  });

  it('does not take two jumps for one that lasts, where nothing was heard in between', () => {
    let [seenMs, judgedMs] = [clock.monotonicMs(), clock.wallMs()];
    const bounds = { clockHoldMs: holdMs, clockSkewMsMax: skewMs };
    settled = new SettledTime({ clock, judgedMs: () => judgedMs, seenMs: () => seenMs, ...bounds });
    /** The clock as it is, or, where it is not heard, as it was last. */
    const passing = (ms: number, isHeard: boolean) => {
      for (let passed = 0; passed < ms; passed += 1000) {
        clock.pass(1000);
        judgedMs = isHeard ? clock.wallMs() : judgedMs + 1000;
        if (isHeard) seenMs = clock.monotonicMs();
        settled.look();
      }
    };
    passing(holdMs + 2000, true);
    clock.step(hourMs);
    passing(2000, true);
    clock.step(-hourMs);
    passing(2 * holdMs, false);
    clock.step(hourMs);
    passing(2000, true);
    expect(settled.look()).toBe(clock.wallMs() - hourMs);
    passing(holdMs, true);
    expect(settled.look(), 'it lasts').toBe(clock.wallMs());
  });

  it('follows it once it has stayed there for the hold time, twice that at the most', () => {
    pass(holdMs);
    clock.step(hourMs);
    pass(holdMs - 1000);
    expect(settled.look()).toBe(clock.wallMs() - hourMs);
    pass(holdMs + 1000);
    expect(settled.look()).toBe(clock.wallMs());
  });

  it('does not take a jump before a start that is set right soon for the truth', () => {
    clock.step(hourMs);
    settled = new SettledTime({ clock, judgedMs: () => clock.wallMs(), clockHoldMs: holdMs, clockSkewMsMax: skewMs });
    settled.look();
    pass(holdMs / 2);
    clock.step(-hourMs);
    pass(holdMs / 2);
    expect(settled.look()).toBe(clock.wallMs());
  });

  it('follows a clock that goes back at once', () => {
    pass(holdMs);
    clock.step(-hourMs);
    expect(settled.look()).toBe(clock.wallMs());
  });

  it('is settled at once by another node whose clock says the same', () => {
    settled.heard('b', clock.wallMs() + 100, 50);
    expect(settled.look()).toBe(clock.wallMs());
    clock.step(hourMs);
    expect(settled.look()).toBe(clock.wallMs() - hourMs);
    settled.heard('b', clock.wallMs() - 100, 50);
    expect(settled.look()).toBe(clock.wallMs());
  });

  it('is not moved ahead by a node whose clock is ahead, however long', () => {
    pass(holdMs);
    for (let minute = 0; minute < 30; minute++) {
      settled.heard('b', clock.wallMs() + hourMs, 10);
      pass(60_000);
      expect(settled.look()).toBe(clock.wallMs());
    }
  });

  it('waits for a node whose clock is behind, unless another one agrees', () => {
    pass(holdMs);
    settled.heard('b', clock.wallMs() - hourMs, 10);
    expect(settled.look()).toBe(clock.wallMs() - hourMs + 10);
    settled.heard('c', clock.wallMs(), 10);
    expect(settled.look()).toBe(clock.wallMs());
  });

  it('forgets a node that was not heard of for the hold time', () => {
    pass(holdMs);
    settled.heard('b', clock.wallMs() - hourMs, 10);
    pass(holdMs + 1000);
    expect(settled.look()).toBe(clock.wallMs());
  });

  it('takes an answer that was long under way for no agreement', () => {
    settled.heard('b', clock.wallMs(), 10_000);
    expect(settled.look()).toBeUndefined();
  });
});
