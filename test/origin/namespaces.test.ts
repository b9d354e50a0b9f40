import { beforeEach, describe, expect, it } from 'vitest';
import { OriginGroup } from './origin-group.ts';

describe('changes of namespaces that meet in one commit', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('old', group.call()));
  });

  async function titles(): Promise<string[]> {
    return (await group.at('a').namespaces()).map(({ title }) => title);
  }

  it('leave one title to a namespace that is renamed twice, and the others free', async () => {
    const origin = group.at('a');
    const renamed = await group.until(
      Promise.allSettled(['b', 'c', 'd'].map((title) => origin.rename('old', title, group.call()))),
    );
    expect(renamed.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(renamed[1]).toMatchObject({ reason: { code: 'UNAVAILABLE', details: { reason: 'namespace-moved' } } });
    expect(await titles()).toEqual(['b']);
    for (const title of ['old', 'c', 'd']) await group.until(origin.create(title, group.call()));
    expect(await titles()).toEqual(['b', 'c', 'd', 'old']);
  });

  it('release no title that another namespace has taken meanwhile', async () => {
    const origin = group.at('a');
    await group.until(
      Promise.allSettled([
        origin.rename('old', 'new', group.call()),
        origin.create('old', group.call()),
        origin.remove('old', group.call()),
      ]),
    );
    expect(await titles()).toEqual(['new', 'old']);
    await expect(group.until(origin.create('old', group.call()))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });
});

describe('changes of namespaces in a cluster at majority', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup({ durability: 'majority' });
    await group.open('a');
    await group.open('b', ['a']);
    await group.open('c', ['a']);
    await group.ready('b', 'c');
    await group.settled('a', 'b', 'c');
  });

  const make = async (at: string) => {
    const { durability, namespace } = await group.until(group.at(at).create('ns', group.call()));
    return [durability, namespace.id] as const;
  };

  it('are on the disks of a majority when they are answered, wherever they are asked for', async () => {
    const [durability, id] = await make('b');
    expect(durability).toBe('majority');
    const moved = await group.until(group.at('c').moveHome(id, 'b', group.call()));
    expect(moved.durability).toBe('majority');
    group.crash('a');
    group.wipe('a');
    await group.remove('b', 'a');
    for (const name of ['b', 'c']) {
      await group.untilHolds(async () => (await group.at(name).find(id)).home === group.at('b').identity.id);
    }
  });

  it('say so where too few had them in time', async () => {
    const [, id] = await make('a');
    group.cut('a', 'b');
    group.cut('a', 'c');
    const from = group.time.nowMs;
    expect(await group.until(group.at('a').create('other', group.call()))).toMatchObject({ durability: 'local' });
    const moved = await group.until(group.at('a').moveHome(id, 'b', group.call()));
    expect(moved.durability).toBe('local');
    expect(group.time.nowMs - from).toBeLessThan(2 * 1000);
  });
});

it.each([0, 5, 10, 20, 50])(
  'a home that is being moved is not moved again by who is its home no more: two would decide (%i)',
  async (turns) => {
    const group = new OriginGroup();
    await group.open('a');
    const { namespace } = await group.until(group.at('a').create('ns', group.call()));
    for (const name of ['b', 'c']) await group.open(name, ['a']);
    await group.ready('b', 'c');
    await group.settled('a', 'b', 'c');
    await group.pass(300);
    const move = (to: string) => group.at('a').moveHome(namespace.id, to, group.call());
    const first = move('b');
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const moves = await group.until(Promise.allSettled([first, move('c')]));
    await group.pass(200);
    const homes = new Set(
      await Promise.all(['a', 'b', 'c'].map(async (name) => (await group.at(name).find('ns', group.call())).home)),
    );
    expect(moves.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect([...homes]).toEqual([group.at('b').identity.id]);
  },
);

it('a home does not move to a member of which the one asked has yet to hear that it serves', async () => {
  const group = new OriginGroup();
  await group.open('a');
  const { namespace } = await group.until(group.at('a').create('ns', group.call()));
  const b = await group.open('b', ['a']);
  while (!b.serves) await group.pass(1);
  group.cut('a', 'b');
  const known = await group.until(group.at('a').members({ ...group.call(), forwarded: true }));
  expect(known.map(({ name }) => name)).toContain('b');
  const refused = group.until(group.at('a').moveHome(namespace.id, 'b', group.call()));
  await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'origin-joining' } });
  group.mend('a', 'b');
  await group.settled('a', 'b');
  const moved = await group.until(group.at('a').moveHome(namespace.id, 'b', group.call()));
  expect(moved.namespace.home).toBe(b.identity.id);
});

describe('a title whose namespace another change gave another title', () => {
  it('is free', async () => {
    const group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('t', group.call()));
    await group.open('b', ['a']);
    await group.ready('b');
    await group.settled('a', 'b');
    group.cut('a', 'b');
    await group.pass(400);
    await group.remove('b', 'a', true);
    // At the home as b knows it, at the home as a knows it still, and again at the one, which wins.
    await group.until(group.at('b').rename('t', 'v', group.call()));
    await group.until(group.at('a').rename('t', 'u', group.call()));
    await group.until(group.at('b').rename('v', 'w', group.call()));
    group.mend('a', 'b');
    await group.beginsAnew('a');
    await group.settled('a', 'b');
    await group.pass(1000);
    const { id } = (await group.until(group.at('b').create('u', group.call()))).namespace;
    expect((await group.at('b').namespaces()).map(({ title }) => title)).toEqual(['u', 'w']);
    expect((await group.at('b').find('u')).id).toBe(id);
    await expect(group.until(group.at('b').create('u', group.call()))).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    await group.until(group.at('b').remove('w', group.call()));
    expect((await group.at('b').find('u')).id).toBe(id);
  });
});
