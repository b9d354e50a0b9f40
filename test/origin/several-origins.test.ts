import { beforeEach, describe, expect, it } from 'vitest';
import { feedVersions } from '../../src/model/feed-version.ts';
import { everything } from '../../src/model/filter.ts';
import { emptySession, sessionAfterRecord } from '../../src/model/session.ts';
import { silence } from '../../src/runtime/silence.ts';
import { OriginGroup } from './origin-group.ts';

describe('several origins', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
  });

  async function three(): Promise<void> {
    await group.open('b', ['a']);
    await group.open('c', ['a']);
    await group.ready('b', 'c');
    await everyoneKnows(3);
  }

  async function everyoneKnows(origins: number): Promise<void> {
    await group.untilHolds(async () => {
      const statuses = await Promise.all(['a', 'b', 'c'].slice(0, origins).map((name) => group.at(name).status()));
      return statuses.every(({ peers = [] }) => peers.filter(({ state }) => state === 'live').length === origins - 1);
    });
  }

  it('admits a new one, which is ready once it holds what the others had, and follows it back by itself', async () => {
    await group.put('a', 'old', 'from a');
    const b = await group.open('b', ['a']);
    expect((await b.status()).ready).toBe(false);
    await expect(group.get('b', 'old')).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'joining' } });
    await group.ready('b');
    expect(await group.text('b', 'old')).toBe('from a');
    await group.put('b', 'new', 'from b');
    await group.untilHolds(async () => (await group.text('a', 'new')) === 'from b');
    expect(
      (await group.until(group.at('a').members(group.call()))).map(({ name, connected }) => [name, connected]),
    ).toEqual([
      ['a', true],
      ['b', true],
    ]);
  });

  it('lets a new one serve once a majority has let it follow them, of those whose disks are not known to be lost', async () => {
    await group.open('b', ['a']);
    await group.ready('b');
    group.cut('a', 'b');
    group.cut('b', 'c');
    const c = await group.open('c', ['a']);
    await group.pass(2000);
    const waiting = await c.status();
    expect(waiting.ready).toBe(false);
    expect(waiting.notes.join()).toContain('a majority must let it follow them, not yet: b (');
    group.mend('a', 'b');
    group.mend('b', 'c');
    await group.ready('c');
    for (const name of ['a', 'b']) group.crash(name);
    group.wipe('b');
    await group.open('a');
    // It takes the place of who was reached there: nobody waits for that one.
    await group.open('b', ['a']);
    await group.ready('b');
  });

  it('counts also where one that had yet to hear of it let it in once more', async () => {
    await three();
    for (const name of ['a', 'b', 'd']) group.cut(name, 'c');
    await group.open('d', ['a']);
    await group.ready('d');
    for (const name of ['a', 'b']) group.cut(name, 'd');
    group.mend('c', 'd');
    await group.untilHolds(async () => ((await group.at('c').status()).peers ?? []).some(({ name }) => name === 'd'));
    for (const name of ['a', 'b']) for (const other of ['c', 'd']) group.mend(name, other);
    await group.pass(1000);
    const moved = await group.until(group.at('a').moveHome('ns', 'd', group.call()));
    expect(moved.namespace.home).toBe(group.at('d').identity.id);
  });

  it('never founds a second cluster where a peer is named, however long that is away', async () => {
    const lonely = new OriginGroup();
    const d = await lonely.open('d', ['nobody']);
    await lonely.pass(5000);
    expect(await d.status()).toMatchObject({ ready: false, clusterId: '' });
    await expect(d.create('ns', lonely.call())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('takes writes for the same key everywhere, and the later stamp wins everywhere', async () => {
    await three();
    const [atA, atB] = await Promise.all([group.put('a', 'k', 'one'), group.put('b', 'k', 'two')]);
    const winner = (atA.written[0]?.stamp ?? '') > (atB.written[0]?.stamp ?? '') ? 'one' : 'two';
    await group.untilHolds(async () => {
      const texts = await Promise.all(['a', 'b', 'c'].map((name) => group.text(name, 'k')));
      return texts.every((text) => text === winner);
    });
  });

  it('heals a partial mesh through the one in the middle', async () => {
    await three();
    group.cut('a', 'c');
    await group.put('a', 'k', 'through b');
    await group.untilHolds(async () => (await group.text('c', 'k')) === 'through b');
    await group.put('c', 'l', 'back through b');
    await group.untilHolds(async () => (await group.text('a', 'l')) === 'back through b');
  });

  it('starts again in any order, with no peer named, and catches up', async () => {
    await three();
    group.crash('b');
    await group.put('a', 'k', 'while b was away');
    await group.open('b');
    await group.untilHolds(async () => (await group.text('b', 'k')) === 'while b was away');
  });

  it('reaches the durability asked for, or says within the time which one it reached', async () => {
    await three();
    expect((await group.put('a', 'k', '1', { durability: 'all' })).durability).toBe('all');
    group.crash('c');
    expect((await group.put('a', 'k', '2', { durability: 'majority' })).durability).toBe('majority');
    const late = await group.put('a', 'k', '3', { durability: 'all', durabilityTimeoutMs: 100 });
    expect(late.durability).toBe('majority');
    group.crash('b');
    const alone = await group.put('a', 'k', '4', { durability: 'majority' });
    expect(alone.durability).toBe('local');
    expect(alone.written[0]?.position.sequence).toBeGreaterThan(0);
  });

  it('decides conditions at the home, from wherever they come, and refuses at once while that is away', async () => {
    await three();
    const absent = { kind: 'put', key: 'once', value: Buffer.from('x'), condition: { kind: 'absent' } } as const;
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((name) => group.write(name, absent)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    group.crash('a');
    await group.pass(100);
    const startedMs = group.time.nowMs;
    await expect(group.write('b', absent)).rejects.toMatchObject({ details: { reason: 'home-away' } });
    expect(group.time.nowMs - startedMs).toBeLessThan(50);
    expect((await group.put('b', 'plain', 'needs no home')).durability).toBe('local');
    await expect(group.until(group.at('c').create('other', group.call()))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('moves a home, and never decides at two', async () => {
    await three();
    await group.until(group.at('b').moveHome('ns', 'c', group.call()));
    group.cut('a', 'c');
    group.cut('a', 'b');
    const absent = { kind: 'put', key: 'once', value: Buffer.from('x'), condition: { kind: 'absent' } } as const;
    await group.pass(100);
    await expect(group.write('a', absent)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await group.write('b', absent)).written).toHaveLength(1);
  });

  // A copy of c's disk had run at b's address, and called. c was followed no more, and what is decided at c was asked of b.
  it('finds a member again that called from where another one answers', async () => {
    await three();
    await group.until(group.at('a').moveHome('ns', 'c', group.call()));
    const { identity } = group.at('c');
    const ending = new AbortController();
    const stream = group.at('a').follow(
      {
        ...feedVersions,
        node: { ...identity, address: 'b' },
        nonce: 'of a copy',
        role: 'peer',
        filter: everything,
        values: { kind: 'all' },
        start: { kind: 'nothing' },
      },
      silence(ending.signal),
      ending.signal,
    );
    await group.until(stream.next());
    ending.abort(new Error('the copy is gone'));
    const condition = { kind: 'absent' } as const;
    let n = 0;
    await group.untilHolds(async () => {
      const put = { kind: 'put', key: `k${n++}`, value: Buffer.from('x'), condition } as const;
      const follows = (await group.at('a').status()).peers?.map(({ address }) => address).sort();
      const decided = await group.write('a', put).catch(() => undefined);
      return follows?.join() === 'b,c' && decided !== undefined;
    });
    // It keeps to that, and did not only find c before it had heard.
    await group.pass(2_000);
    expect((await group.at('a').status()).peers?.map(({ address }) => address).sort()).toEqual(['b', 'c']);
  });

  it('creates a namespace from anywhere, under a title that means one namespace, and knows it when it answers', async () => {
    await three();
    const made = await Promise.allSettled(
      ['a', 'b', 'c'].map((n) => group.until(group.at(n).create('t', group.call()))),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await group.until(group.at('c').create('u', group.call()));
    expect((await group.put('c', 'k', 'v', { namespace: 'u' })).written).toHaveLength(1);
  });

  it('keeps a session across origins: what was written at one is waited for at another', async () => {
    await three();
    const { written } = await group.put('a', 'k', 'mine');
    const [first] = written;
    if (first === undefined) throw new Error('nothing was written');
    const session = sessionAfterRecord(emptySession, first.position, first.stamp);
    const answer = await group.get('c', 'k', session);
    expect(answer.record).toMatchObject({ kind: 'live', stamp: first.stamp });
    group.cut('a', 'c');
    group.cut('a', 'b');
    const late = await group.put('a', 'k', 'unseen');
    const [unseen] = late.written;
    if (unseen === undefined) throw new Error('nothing was written');
    await expect(group.get('c', 'k', sessionAfterRecord(session, unseen.position, unseen.stamp))).rejects.toMatchObject(
      { code: 'UNAVAILABLE', details: { reason: 'session-not-covered' } },
    );
  });

  it('refuses a peer whose clock is too far off, says so, and follows it once it is right', async () => {
    await three();
    group.clock('b').skewMs = 500;
    await group.untilHolds(async () => (await group.at('a').status()).notes.some((note) => note.includes('clock')));
    await group.untilHolds(async () => !(await group.at('b').status()).ready);
    expect((await group.at('a').status()).ready).toBe(true);
    await group.put('b', 'k', 'from the future');
    await group.pass(500);
    expect(await group.text('a', 'k')).toBe(null);
    group.clock('b').skewMs = 0;
    await group.pass(600);
    await group.untilHolds(async () => (await group.text('a', 'k')) === 'from the future');
  });
});
