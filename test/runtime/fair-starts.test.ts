import { describe, expect, it } from 'vitest';
import { FairStarts } from '../../src/runtime/fair-starts.ts';
import { FakeClock } from '../edge/fake-clock.ts';

function started() {
  const clock = new FakeClock();
  const starts = new FairStarts((run) => void clock.timer(0, run));
  const begun: string[] = [];
  const start = (share: object | string, connection: object, name: string) =>
    starts.start(
      { share, connection },
      () => begun.push(name),
      () => false,
    );
  return { clock, starts, begun, start };
}

describe('the beginning of requests', () => {
  it('lets who opens many wait for his own, and others begin at once', () => {
    const { clock, begun, start } = started();
    const [greedy, modest] = [{}, {}];
    for (let i = 0; i < 100; i++) start(greedy, greedy, 'greedy');
    start(modest, modest, 'modest');
    expect(begun).toHaveLength(33);
    expect(begun.at(-1)).toBe('modest');
    for (let rounds = 0; rounds < 3; rounds++) clock.advance(1);
    expect(begun).toHaveLength(101);
  });

  it('counts all connections of one share together, so that more of them begin no more', () => {
    const { clock, begun, start } = started();
    for (let connection = 0; connection < 1000; connection++) start('greedy', {}, 'greedy');
    start('modest', {}, 'modest');
    expect(begun).toHaveLength(65);
    expect(begun.at(-1)).toBe('modest');
    clock.advance(1);
    for (let i = 0; i < 8; i++) start('modest', clock, 'modest');
    expect(begun.filter((name) => name === 'modest')).toHaveLength(9);
    for (let rounds = 0; rounds < 20; rounds++) clock.advance(1);
    expect(begun).toHaveLength(1009);
  });

  it('lets fewer begin at once where its bounds are lower', () => {
    const clock = new FakeClock();
    const bounds = { roundMax: 5, shareMax: 3, connectionMax: 2 };
    const starts = new FairStarts((run) => void clock.timer(0, run), bounds);
    const begun: string[] = [];
    const start = (share: string, connection: object) =>
      starts.start(
        { share, connection },
        () => begun.push(share),
        () => false,
      );
    const [one, other] = [{}, {}];
    for (const connection of [one, other]) for (let i = 0; i < 4; i++) start('a', connection);
    for (let i = 0; i < 4; i++) start('b', begun);
    expect(begun).toEqual(['a', 'a', 'a', 'b', 'b']);
    for (let rounds = 0; rounds < 3; rounds++) clock.advance(1);
    expect(begun).toHaveLength(12);
  });

  it('takes turns among the shares, and among the connections of one', () => {
    const { clock, begun, start } = started();
    for (const share of ['a', 'b', 'c']) {
      const [loud, quiet] = [{}, {}];
      for (let i = 0; i < 500; i++) start(share, loud, `${share} loud`);
      for (let i = 0; i < 5; i++) start(share, quiet, `${share} quiet`);
    }
    for (let rounds = 0; rounds < 4; rounds++) clock.advance(1);
    const counted = (share: string) => begun.filter((name) => name.startsWith(share)).length;
    for (const share of ['a', 'b', 'c']) {
      expect(begun.filter((name) => name === `${share} quiet`)).toHaveLength(5);
      expect(Math.abs(counted(share) - begun.length / 3)).toBeLessThanOrEqual(64);
    }
  });

  it('loses nothing that asks again while it begins', () => {
    const { clock, starts } = started();
    const begun = new Map<string, number>();
    const again = (share: string, connection: object, name: string, left: number) => {
      const run = () => {
        begun.set(name, (begun.get(name) ?? 0) + 1);
        if (left > 0) again(share, connection, name, left - 1);
      };
      starts.start({ share, connection }, run, () => false);
    };
    for (let i = 0; i < 20; i++) again(`share ${i % 3}`, {}, `stream ${i}`, 99);
    for (let rounds = 0; rounds < 100; rounds++) clock.advance(1);
    expect([...begun.values()]).toEqual(new Array(20).fill(100));
  });

  it('begins nothing that was dropped while it waited', () => {
    const clock = new FakeClock();
    const starts = new FairStarts((run) => void clock.timer(0, run));
    let [begun, dropped] = [0, false];
    for (let i = 0; i < 100; i++) {
      starts.start(
        { share: clock, connection: clock },
        () => begun++,
        () => dropped,
      );
    }
    dropped = true;
    for (let rounds = 0; rounds < 5; rounds++) clock.advance(1);
    expect(begun).toBe(32);
  });
});
