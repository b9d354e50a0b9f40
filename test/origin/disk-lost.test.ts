import { describe, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import { OriginGroup } from './origin-group.ts';

const all = ['a', 'b', 'c'];

describe('a write acknowledged at majority', () => {
  it.each(all)('survives the loss of %s with its disk at once, whoever took it', async (gone) => {
    const group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.open('b', ['a']);
    await group.open('c', ['a']);
    await group.ready('b', 'c');
    await group.pass(300);
    const kept: string[] = [];
    const rest = all.filter((name) => name !== gone);
    // One of the others hardly hears: the majority is another one each time.
    for (const deaf of rest) {
      group.cut(gone, deaf);
      const acknowledged: string[] = [];
      const writers = all.flatMap((name) =>
        Array.from({ length: 5 }, async (_, i) => {
          const key = `${deaf}-${name}-${i}`;
          const value = Buffer.from(key);
          const call = group.call(400);
          const request = { namespace: 'ns', mutations: [{ kind: 'put' as const, key, value }], session: emptySession };
          const { durability } = await group.at(name).write({ ...request, durability: 'majority' }, call);
          if (durability === 'majority') acknowledged.push(key);
        }),
      );
      await group.until(Promise.allSettled(writers));
      expect(acknowledged.length).toBeGreaterThan(4);
      kept.push(...acknowledged);
      // The last time it is lost at once, before the one that was cut off has heard.
      if (deaf === rest.at(-1)) group.crash(gone);
      group.mend(gone, deaf);
      await group.pass(200);
    }
    group.wipe(gone);
    const [asked = ''] = rest;
    await group.remove(asked, gone);
    for (const name of rest) {
      for (const key of kept) await group.untilHolds(async () => (await group.text(name, key)) === key);
    }
  });
});
