import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../../src/http/workers/byte-budget.ts';

const never = new AbortController().signal;

describe('a budget of bytes', () => {
  it('gives out no more than it has, in the order of asking', async () => {
    const budget = new ByteBudget(100, 10);
    const given: string[] = [];
    const take = async (name: string, bytes: number) => {
      if (await budget.take(bytes, never)) given.push(name);
    };
    expect(budget.tryTake(60)).toBe(true);
    const asked = [take('large', 60), take('small', 10)];
    // The small one would fit, and would let large ones wait for ever.
    expect(budget.tryTake(10)).toBe(false);
    expect(given).toEqual([]);
    budget.give(60);
    await Promise.all(asked);
    expect(given).toEqual(['large', 'small']);
    expect([budget.tryTake(31), budget.tryTake(30)]).toEqual([false, true]);
  });

  it('counts more than there is in all as all, so that it is not waited for in vain', async () => {
    const budget = new ByteBudget(100, 10);
    expect(await budget.take(1000, never)).toBe(true);
    expect(budget.tryTake(1)).toBe(false);
    budget.give(1000);
    expect(budget.tryTake(100)).toBe(true);
  });

  it('turns away whom it has no room to let wait, and forgets whoever gives up', async () => {
    const budget = new ByteBudget(100, 1);
    budget.tryTake(100);
    const gone = new AbortController();
    const first = budget.take(100, gone.signal);
    expect(await budget.take(1, never)).toBe(false);
    gone.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    budget.give(100);
    expect(budget.tryTake(100)).toBe(true);
  });

  it('lets the next in when the one before it gives up', async () => {
    const budget = new ByteBudget(100, 10);
    budget.tryTake(50);
    const gone = new AbortController();
    const first = budget.take(60, gone.signal);
    const second = budget.take(50, never);
    gone.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(await second).toBe(true);
  });
});
