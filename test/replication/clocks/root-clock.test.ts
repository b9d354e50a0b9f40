import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { RootClock } from '../../../src/replication/clocks/root-clock.ts';
import { HandClock } from './hand-clock.ts';

const rootAt = 1_600_000_000_000;

describe("the origin's clock as an edge reckons it", () => {
  let own: HandClock;
  let root: RootClock;

  beforeEach(() => {
    own = new HandClock();
    root = new RootClock(own);
  });

  it('is the own clock before anything was heard, and no offset is known', () => {
    expect(root.isHeard).toBe(false);
    expect(root.nowMs()).toBe(own.wallMs());
    expect(root.offset()).toBeUndefined();
  });

  it('is the own clock less the offset that an earlier run knew, until something is heard', () => {
    const restarted = new RootClock(own, 3_600_000);
    expect(restarted.nowMs()).toBe(own.wallMs() - 3_600_000);
    expect(restarted.offset()).toBeUndefined();
    restarted.heard(rootAt, 10);
    expect(restarted.nowMs()).toBe(rootAt);
  });

  it('begins with the least that an echo allows, and goes on by the monotonic clock', () => {
    root.heard(rootAt, 80);
    own.pass(1000);
    own.step(-86_400_000);
    expect(root.nowMs()).toBe(rootAt + 1000);
    expect(root.offset()).toEqual({ offsetMs: own.wallMs() - rootAt - 1000, withinMs: 80 });
  });

  it('does not move back for an echo that came late, nor ahead for one that proves no more', () => {
    root.heard(rootAt, 10);
    own.pass(1000);
    root.heard(rootAt + 400, 700); // It was read 600 ms ago.
    expect(root.nowMs()).toBe(rootAt + 1000);
    root.heard(rootAt + 1000, 20);
    expect(root.nowMs()).toBe(rootAt + 1000);
  });

  it('follows a step of the clock either way with the next echo', () => {
    root.heard(rootAt, 10);
    root.heard(rootAt + 3_600_000, 10);
    expect(root.nowMs()).toBe(rootAt + 3_600_000);
    root.heard(rootAt, 10);
    expect(root.nowMs()).toBe(rootAt);
  });

  it('is as old as the question that brought it, at a relay and here', () => {
    expect(root.ageMs).toBe(Number.POSITIVE_INFINITY);
    root.heard(rootAt, 10, 400);
    own.pass(100);
    expect(root.ageMs).toBe(510);
    root.heard(rootAt + 100, 10);
    expect(root.ageMs).toBe(10);
  });

  it('is not what a relay asked for before it was asked for here', () => {
    root.heard(rootAt, 10);
    own.pass(50);
    root.heard(rootAt + 3_600_000, 10, 1000);
    expect([root.nowMs(), root.ageMs]).toEqual([rootAt + 50, 60]);
    own.pass(2000);
    root.heard(rootAt + 3_600_000, 10, 1000);
    expect([root.nowMs(), root.ageMs]).toEqual([rootAt + 3_600_000, 1010]);
  });

  it('is not what an echo that took long says of a clock that was stepped meanwhile', () => {
    root.heard(rootAt, 10);
    own.pass(50);
    root.heard(rootAt + 3_600_000, 700); // Perhaps read before.
    expect([root.nowMs(), root.ageMs]).toEqual([rootAt + 50, 60]);
    root.heard(rootAt + 3_600_050, 59);
    expect([root.nowMs(), root.ageMs]).toEqual([rootAt + 3_600_050, 59]);
  });

  it('is of nobody knows what age once the machine has slept, until the root is heard of again', () => {
    root = new RootClock(own, 0, 500);
    root.heard(rootAt, 10);
    own.pass(1000);
    own.step(400); // Set right by a little: no sleep.
    expect(root.ageMs).toBe(1010);
    own.step(3_600_000);
    expect(root.ageMs).toBe(Number.POSITIVE_INFINITY);
    root.heard(rootAt + 3_601_000, 20);
    expect([root.nowMs(), root.ageMs]).toEqual([rootAt + 3_601_000, 20]);
  });

  it('is never ahead of a clock that nobody steps, and behind by the latest round trip at most', () => {
    const trip = fc.record({ pass: fc.nat(5000), there: fc.nat(300), back: fc.nat(300) });
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.array(trip, { minLength: 1 }), (offset, trips) => {
        const edge = new HandClock();
        const reckoned = new RootClock(edge);
        const truth = () => edge.monotonicMs() + rootAt + offset;
        for (const { pass, there, back } of trips) {
          edge.pass(pass + there);
          const read = truth();
          edge.pass(back);
          reckoned.heard(read, there + back);
          expect(reckoned.nowMs()).toBeLessThanOrEqual(truth());
          expect(reckoned.nowMs()).toBeGreaterThanOrEqual(truth() - there - back);
        }
      }),
    );
  });
});
