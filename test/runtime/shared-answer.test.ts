import { describe, expect, it } from 'vitest';
import { SharedAnswer } from '../../src/runtime/shared-answer.ts';
import { HandClock } from '../replication/clocks/hand-clock.ts';

describe('a shared answer', () => {
  it('is made once for all who ask while it is made, and for a while from its beginning', async () => {
    const clock = new HandClock();
    let made = 0;
    const answer = new SharedAnswer(async () => ++made, clock, 250);
    expect(await Promise.all([answer.get(), answer.get()])).toEqual([1, 1]);
    clock.pass(249);
    expect(await answer.get()).toBe(1);
    clock.pass(1);
    expect(await answer.get()).toBe(2);
  });

  it('is shared for as long as it takes, and not kept longer', async () => {
    const clock = new HandClock();
    const making: Array<(value: string) => void> = [];
    const answer = new SharedAnswer(() => new Promise<string>((resolve) => making.push(resolve)), clock, 250);
    const first = answer.get();
    clock.pass(5000);
    const second = answer.get();
    making[0]?.('slow');
    expect(await Promise.all([first, second])).toEqual(['slow', 'slow']);
    const third = answer.get();
    making[1]?.('new');
    expect(await third).toBe('new');
  });

  it('is not kept where it failed', async () => {
    let made = 0;
    const make = async () => {
      if (++made === 1) throw new Error('once');
      return made;
    };
    const answer = new SharedAnswer(make, new HandClock(), 250);
    await expect(answer.get()).rejects.toThrow('once');
    expect(await answer.get()).toBe(2);
  });
});
