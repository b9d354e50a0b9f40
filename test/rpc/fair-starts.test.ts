import { describe, expect, it } from 'vitest';
import { FairStarts } from '../../src/rpc/server/fair-starts.ts';
import { FakeClock } from '../edge/fake-clock.ts';

describe('the beginning of calls', () => {
  it('lets who opens many wait for his own, and others begin at once', () => {
    const clock = new FakeClock();
    const starts = new FairStarts(clock);
    const [greedy, modest] = [{}, {}];
    const begun: string[] = [];
    const start = (caller: object, name: string) =>
      starts.start(
        caller,
        () => begun.push(name),
        () => false,
      );
    for (let i = 0; i < 100; i++) start(greedy, 'greedy');
    start(modest, 'modest');
    expect(begun).toHaveLength(33);
    expect(begun.at(-1)).toBe('modest');
    for (let rounds = 0; rounds < 3; rounds++) clock.advance(1);
    expect(begun).toHaveLength(101);
  });

  it('begins nothing that was dropped while it waited', () => {
    const clock = new FakeClock();
    const starts = new FairStarts(clock);
    let [begun, dropped] = [0, false];
    for (let i = 0; i < 100; i++) {
      starts.start(
        clock,
        () => begun++,
        () => dropped,
      );
    }
    dropped = true;
    for (let rounds = 0; rounds < 5; rounds++) clock.advance(1);
    expect(begun).toBe(32);
  });
});
