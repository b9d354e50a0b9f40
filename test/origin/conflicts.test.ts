import { beforeEach, describe, expect, it } from 'vitest';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { OriginGroup } from './origin-group.ts';

describe('a write that lost against one that knew nothing of it', () => {
  let group: OriginGroup;
  let conflicts: Array<{ readonly winner: string; readonly loser: string }>;

  beforeEach(async () => {
    conflicts = [];
    const conflictLost = (winner: string, loser: string) => void conflicts.push({ winner, loser });
    group = new OriginGroup({ observer: { ...silentReplicationObserver, conflictLost } });
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.open('b', ['a']);
    await group.ready('b');
    await stampOf('a', 'first');
    await bothHave('first');
    conflicts = [];
  });

  async function stampOf(at: string, text: string): Promise<string> {
    const { written } = await group.put(at, 'k', text);
    return written[0]?.stamp ?? '';
  }

  async function bothHave(text: string): Promise<void> {
    await group.untilHolds(async () => {
      return (await group.text('a', 'k')) === text && (await group.text('b', 'k')) === text;
    });
  }

  it('is told of with both stamps where the two cross', async () => {
    group.cut('a', 'b');
    const loser = await stampOf('a', 'lost');
    await group.pass(20);
    const winner = await stampOf('b', 'won');
    group.mend('a', 'b');
    await bothHave('won');
    expect(conflicts).toContainEqual({ winner, loser });
  });

  it('is told of where it is overwritten before anybody else has heard of it', async () => {
    group.cut('a', 'b');
    const loser = await stampOf('a', 'lost');
    group.crash('a');
    await group.pass(20);
    const winner = await stampOf('b', 'won');
    group.mend('a', 'b');
    await group.open('a', ['b']);
    await bothHave('won');
    await group.pass(1000);
    expect(conflicts).toContainEqual({ winner, loser });
  });

  it('is not told of where the later one was written in the knowledge of it', async () => {
    for (let round = 0; round < 6; round++) {
      const text = `round ${round}`;
      await stampOf(round % 2 === 0 ? 'a' : 'b', text);
      await bothHave(text);
    }
    group.crash('a');
    await group.open('a', ['b']);
    await group.ready('a');
    await stampOf('b', 'again');
    await bothHave('again');
    expect(conflicts).toEqual([]);
  });
});
