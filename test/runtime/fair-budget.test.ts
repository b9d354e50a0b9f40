import { describe, expect, it } from 'vitest';
import { FairBudget } from '../../src/runtime/fair-budget.ts';

const never = new AbortController().signal;

describe('a budget of bytes', () => {
  it('gives out no more than it has, in the order of asking where one asks', async () => {
    const budget = new FairBudget({ bytesMax: 100, waitingMax: 10 });
    const given: string[] = [];
    const take = async (name: string, bytes: number) => {
      if (await budget.take(bytes, 'me', never)) given.push(name);
    };
    expect(budget.tryTake(60, 'me')).toBe(true);
    const asked = [take('large', 60), take('small', 10)];
    // The small one would fit, and would let large ones wait for ever.
    expect(budget.tryTake(10, 'me')).toBe(false);
    expect(given).toEqual([]);
    budget.give(60, 'me');
    await Promise.all(asked);
    expect(given).toEqual(['large', 'small']);
    expect([budget.tryTake(31, 'me'), budget.tryTake(30, 'me')]).toEqual([false, true]);
  });

  it('counts more than there is in all as all, so that it is not waited for in vain', async () => {
    const budget = new FairBudget({ bytesMax: 100, waitingMax: 10 });
    expect(await budget.take(1000, 'me', never)).toBe(true);
    expect(budget.tryTake(1, 'me')).toBe(false);
    budget.give(1000, 'me');
    expect(budget.tryTake(100, 'me')).toBe(true);
  });

  it('turns away whom it has no room to let wait, and forgets whoever gives up', async () => {
    const budget = new FairBudget({ bytesMax: 100, waitingMax: 1 });
    budget.tryTake(100, 'me');
    const gone = new AbortController();
    const first = budget.take(100, 'me', gone.signal);
    expect(await budget.take(1, 'me', never)).toBe(false);
    gone.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    budget.give(100, 'me');
    expect(budget.tryTake(100, 'me')).toBe(true);
  });

  it('lets the next in when the one before it gives up', async () => {
    const budget = new FairBudget({ bytesMax: 100, waitingMax: 10 });
    budget.tryTake(50, 'me');
    const gone = new AbortController();
    const first = budget.take(60, 'me', gone.signal);
    const second = budget.take(50, 'me', never);
    gone.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(await second).toBe(true);
  });

  it('gives to whom has used the least, however many things another asks for', async () => {
    const budget = new FairBudget({ bytesMax: 100, waitingMax: 10 });
    const given: string[] = [];
    const take = async (caller: string) => {
      if (await budget.take(50, caller, never)) given.push(caller);
    };
    for (let i = 0; i < 2; i++) budget.tryTake(50, 'greedy');
    const asked = ['greedy', 'greedy', 'greedy', 'modest'].map(take);
    for (let i = 0; i < 2; i++) budget.give(50, 'greedy');
    await Promise.all([asked[0], asked[3]]);
    expect(given).toEqual(['modest', 'greedy']);
    for (const caller of ['greedy', 'modest']) budget.give(50, caller);
    await Promise.all(asked);
    expect(given).toHaveLength(4);
  });

  it('lets nobody wait for the share of another, and nobody take more than his own', async () => {
    const budget = new FairBudget({ bytesMax: 100, callerBytesMax: 50, waitingMax: 10 });
    expect(budget.tryTake(50, 'greedy')).toBe(true);
    const waiting = budget.take(10, 'greedy', never);
    expect([budget.tryTake(1, 'greedy'), budget.tryTake(50, 'modest')]).toEqual([false, true]);
    budget.give(50, 'greedy');
    expect(await waiting).toBe(true);
  });

  it('lets who uses nothing take one thing that is larger than its share', () => {
    const budget = new FairBudget({ bytesMax: 100, callerBytesMax: 50, waitingMax: 10 });
    expect([budget.tryTake(80, 'me'), budget.tryTake(1, 'me')]).toEqual([true, false]);
  });

  it('turns one caller away who has as many waiting as he may, and not the next', async () => {
    const budget = new FairBudget({ bytesMax: 100, waitingMax: 10, callerWaitingMax: 1 });
    budget.tryTake(100, 'me');
    const waiting = [budget.take(1, 'greedy', never), budget.take(1, 'modest', never)];
    expect(await budget.take(1, 'greedy', never)).toBe(false);
    budget.give(100, 'me');
    expect(await Promise.all(waiting)).toEqual([true, true]);
    expect(budget.bytesInUse).toBe(2);
  });
});
