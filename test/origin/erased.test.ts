import { expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { OriginGroup } from './origin-group.ts';

it('an origin whose process is killed while it erases what it took over in part comes back as who it was', async () => {
  const group = new OriginGroup();
  await group.open('a');
  await group.until(group.at('a').create('ns', group.call()));
  await group.open('b', ['a']);
  await group.ready('b');
  await group.settled('a', 'b');
  group.crash('b');
  await group.remove('a', 'b', true);
  // It comes back as a new member, which a lets in, and gets no further.
  const a = group.at('a');
  const follow = a.follow.bind(a);
  let isStalled = true;
  a.follow = async function* (open, ...rest) {
    for await (const event of follow(open, ...rest)) {
      if (open.role === 'peer' && isStalled && event.kind !== 'opened')
        throw new MeridianError('UNAVAILABLE', 'stalled', { reason: 'connection' });
      yield event;
    }
  };
  await group.open('b', ['a']);
  await group.untilHolds(() => group.anew('b') !== undefined);
  const { id } = await group.reopen('b').then(({ identity }) => identity);
  const members = async () => (await group.until(a.members(group.call()))).map((member) => member.id).sort();
  await group.untilHolds(async () => (await members()).includes(id));
  group.crash('b');
  // What it has is no whole: it begins anew as itself, and is killed in the midst of that.
  const mark = { as: 'same', why: 'filled in part', peers: ['a'] };
  const meta = new Map([['origin/leaving', Buffer.from(JSON.stringify(mark))]]);
  let erased = false;
  const killed = group.open('b', ['a'], {}, async ({ stores: { store } }) => {
    await store.commit({ puts: [], removals: [], meta, sync: true });
    const erase = store.erase.bind(store);
    store.erase = async () => {
      await erase();
      erased = true;
      await new Promise(() => {});
    };
  });
  void killed.catch(() => {});
  await group.untilHolds(() => erased);
  group.crash('b');
  isStalled = false;
  await group.open('b', ['a']);
  expect(group.at('b').identity.id, 'a waits for this member with its seals and its purges').toBe(id);
  await group.ready('b');
  expect(await members()).toEqual([a.identity.id, id].sort());
});
