import { expect, it } from 'vitest';
import { FairStarts } from '../../src/runtime/fair-starts.ts';
import { OperationTurns } from '../../src/runtime/operation-turns.ts';
import { FakeClock } from '../edge/fake-clock.ts';

/** A stream that always has more to do, and does it whenever it may. */
function busy(starts: FairStarts, share: string) {
  const connection = {};
  let done = 0;
  const work = () => {
    for (; turns.mayTake; done++) turns.take();
  };
  const turns: OperationTurns = new OperationTurns((run, isOver) => starts.start({ share, connection }, run, isOver), {
    isOver: () => false,
    given: work,
  });
  return { work, done: () => done };
}

it('lets streams of many operations take turns, those of one share together', () => {
  const clock = new FakeClock();
  const starts = new FairStarts((run) => void clock.timer(0, run));
  const greedy = Array.from({ length: 100 }, () => busy(starts, 'greedy'));
  for (const stream of greedy) stream.work();
  const modest = busy(starts, 'modest');
  modest.work();
  // What a share may do in a round, whoever comes first.
  expect(greedy.reduce((sum, { done }) => sum + done(), 0)).toBe(64 * 64);
  expect(modest.done()).toBe(32 * 64);
  for (let round = 0; round < 60; round++) clock.advance(1);
  const all = greedy.reduce((sum, { done }) => sum + done(), 0);
  expect(all).toBe(61 * 64 * 64);
  expect(modest.done()).toBe(61 * 32 * 64);
  for (const { done } of greedy) expect(done()).toBeGreaterThan(0);
});

it('does nothing more for a stream that is over', () => {
  const clock = new FakeClock();
  const starts = new FairStarts((run) => void clock.timer(0, run));
  let isOver = false;
  let given = 0;
  const turns = new OperationTurns((run, over) => starts.start({ share: 's', connection: clock }, run, over), {
    isOver: () => isOver,
    given: () => given++,
  });
  while (turns.mayTake) turns.take();
  isOver = true;
  for (let round = 0; round < 5; round++) clock.advance(1);
  expect(given).toBe(0);
  expect(turns.mayTake).toBe(false);
});
