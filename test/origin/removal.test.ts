import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { MemberId } from '../../src/model/position.ts';
import { emptySession, sessionAfterRecord } from '../../src/model/session.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import type { VirtualClock } from '../support/virtual-time.ts';
import { OriginGroup } from './origin-group.ts';

const absent = { kind: 'put', key: 'once', value: Buffer.from('x'), condition: { kind: 'absent' } } as const;

describe('an origin that is removed', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.openThree();
  });

  const idOf = (name: string) => group.at(name).identity.id as MemberId;

  it('leaves what any survivor holds of it to all of them, and its homes to who removed it', async () => {
    group.cut('a', 'c');
    group.cut('b', 'c');
    await group.put('a', 'k', 'at b alone');
    await group.alike(['b'], 'k', 'at b alone');
    const { log } = group.at('a');
    group.crash('a');
    group.mend('b', 'c');
    await group.pass(100);
    const { logs, missing } = await group.remove('c', 'a');
    expect([missing, logs.map((sealed) => sealed.log)]).toEqual([[], [log]]);
    await group.alike(['b', 'c'], 'k', 'at b alone');
    await group.untilHolds(() =>
      group.write('b', absent).then(
        () => true,
        () => false,
      ),
    );
    expect((await group.at('c').find('ns')).home).toBe(idOf('c'));
    await group.until(group.at('b').create('made after', group.call()));
    expect((await group.until(group.at('b').members(group.call()))).map(({ name }) => name).sort()).toEqual(['b', 'c']);
    // Its logs are sealed, so nobody keeps a component for them.
    await group.untilHolds(() => ['b', 'c'].every((name) => !group.at(name).covered.has(log)));
  });

  it('has what lies beyond its seals written again by a survivor that holds it, the stamp kept (R23)', async () => {
    group.cut('a', 'c');
    group.cut('b', 'c');
    const written = await group.put('a', 'k', 'at b alone');
    await group.alike(['b'], 'k', 'at b alone');
    const { log } = group.at('a');
    group.crash('a');
    const few = { details: { reason: 'too-few-reports', limit: 2, seen: 1 } };
    await expect(group.remove('c', 'a')).rejects.toMatchObject(few);
    const { logs, missing } = await group.remove('c', 'a', true);
    expect(missing).toEqual(['b']);
    const [first] = written.written;
    if (first === undefined) throw new Error('nothing was written');
    expect(logs.find((sealed) => sealed.log === log)?.final).toBeLessThan(first.position.sequence);
    expect(await group.text('c', 'k'), 'forced: nobody else has it').toBe(null);
    group.mend('b', 'c');
    await group.alike(['b', 'c'], 'k', 'at b alone');
    // The session's position lies beyond the seal: it counts up to there, and no longer.
    const { record } = await group.get('c', 'k', sessionAfterRecord(emptySession, first.position, first.stamp));
    expect(record?.stamp).toBe(first.stamp);
    // By whoever of the two was first.
    expect([group.at('b').log, group.at('c').log]).toContain(record?.position.log);
  });

  it('leaves nothing beyond its seals to be read before that is written again', async () => {
    await group.open('d', ['a']);
    await group.ready('d');
    await group.settled('a', 'b', 'c', 'd');
    await group.put('a', 'k', 'known to all');
    await group.alike(['b', 'c', 'd'], 'k', 'known to all');
    for (const one of ['a', 'b']) for (const other of ['c', 'd']) group.cut(one, other);
    await group.put('a', 'k', 'at b alone');
    await group.alike(['b'], 'k', 'at b alone');
    group.crash('a');
    await group.remove('d', 'a');
    await group.pass(300);
    // b hears of the seal from d. Both were opened again, and wait to be heard of by c, which is cut off.
    group.cut('c', 'd');
    for (const name of ['b', 'd']) await group.reopen(name);
    group.mend('b', 'd');
    await group.untilHolds(async () => (await group.until(group.at('b').members(group.call()))).length === 3);
    await group.pass(500);
    const beyond = { code: 'UNAVAILABLE', details: { reason: 'beyond-seal' } };
    await expect(group.get('b', 'k')).rejects.toMatchObject(beyond);
    const page = { namespace: 'ns', prefix: '', limit: 10, session: emptySession };
    await expect(group.until(group.at('b').list(page, group.call()))).rejects.toMatchObject(beyond);
    expect(await group.text('c', 'k')).toBe('known to all');
    for (const name of ['b', 'd']) group.mend('c', name);
    // It waits until that counts, and c then answers with the same.
    const { record, session } = await group.get('b', 'k');
    expect((await group.get('c', 'k', session)).record?.stamp).toBe(record?.stamp);
    await group.alike(['b', 'c', 'd'], 'k', 'at b alone');
  });

  it('is waited for until what a survivor reports of it is here, and no longer', async () => {
    group.cut('a', 'b');
    group.cut('b', 'c');
    for (let i = 0; i < 40; i++) await group.put('a', `k${i}`, 'at c alone');
    await group.alike(['c'], 'k39', 'at c alone');
    group.crash('a');
    group.mend('b', 'c');
    // As soon as c is reached: its feed has yet to bring what it reports.
    await group.untilHolds(() =>
      group.remove('b', 'a').then(
        () => true,
        () => false,
      ),
    );
    expect(await group.text('b', 'k39')).toBe('at c alone');
    group.crash('c');
    await group.remove('b', 'c');
    // Its home passed on twice: who decides now waits for nothing that is gone.
    expect((await group.write('b', absent)).written).toHaveLength(1);
  });

  it('counts in no majority any more', async () => {
    group.crash('a');
    group.crash('b');
    expect((await group.put('c', 'k', '1', { durability: 'majority' })).durability).toBe('local');
    await group.remove('c', 'a', true);
    await group.remove('c', 'b', true);
    expect((await group.put('c', 'k', '2', { durability: 'majority' })).durability).toBe('majority');
  });

  it('does not remove itself, and is not removed under a name that nobody has', async () => {
    await expect(group.remove('a', 'a')).rejects.toMatchObject({ details: { reason: 'not-myself' } });
    await expect(group.remove('a', 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('joins as a new member when it comes back, and brings what only it had', async () => {
    group.cut('a', 'b');
    group.cut('a', 'c');
    await group.pass(50);
    const { written } = await group.put('a', 'mine', 'seen by nobody');
    const before = idOf('a');
    await group.remove('b', 'a');
    await group.alike(['b', 'c'], 'mine', null);
    group.mend('a', 'b');
    group.mend('a', 'c');
    await group.untilHolds(() => group.anew('a') !== undefined);
    expect(group.anew('a')).toContain('removed');
    await expect(group.put('a', 'k', 'refused')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await group.beginsAnew('a');
    expect(idOf('a')).not.toBe(before);
    await group.alike(['a', 'b', 'c'], 'mine', 'seen by nobody');
    const { record } = await group.get('c', 'mine');
    expect([record?.stamp, record?.position.log]).toEqual([written[0]?.stamp, group.at('a').log]);
    await group.settled('a', 'b', 'c');
    const members = await group.until(group.at('b').members(group.call()));
    expect(members.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
    expect(members.map(({ id }) => id)).not.toContain(before);
  });

  it('joins as a new member also where it ended between hearing of its removal and noting that it leaves', async () => {
    group.crash('a');
    let heard = false;
    await group.open('a', ['b', 'c'], {}, async ({ stores }) => {
      const commit = stores.store.commit.bind(stores.store);
      stores.store.commit = async (batch) => {
        if (heard) await new Promise(() => {}); // Nothing of it reaches the disk from here on.
        heard = batch.puts.some(({ record }) => record.key.startsWith('removed/'));
        await commit({ ...batch, sync: true });
      };
    });
    const before = idOf('a');
    await group.settled('a', 'b', 'c');
    await group.remove('b', 'a');
    await group.untilHolds(() => heard);
    await group.pass(50);
    expect(group.anew('a')).toBeUndefined();
    group.crash('a');
    await group.open('a', ['b', 'c']);
    expect(group.at('a').serves).toBe(false);
    await group.beginsAnew('a');
    expect(idOf('a')).not.toBe(before);
    await group.settled('a', 'b', 'c');
  });

  it('is removed by one at a time: who may not decide asks nobody else', async () => {
    const [a, b, c] = [idOf('a'), idOf('b'), idOf('c')];
    group.crash('a');
    await group.until(group.at('c').report({ member: a, initiator: b, reporter: c }));
    const asked = vi.spyOn(group.at('b'), 'report');
    await expect(group.remove('c', 'a')).rejects.toMatchObject({ details: { reason: 'removal-open' } });
    expect(asked).not.toHaveBeenCalled();
    expect((await group.remove('b', 'a')).missing).toEqual([]);
  });

  it('is removed once where two ask for that at the same time, and both know who took over', async () => {
    group.crash('a');
    await group.pass(100);
    const removing = ['b', 'c'].map((name) =>
      group.at(name).removeMember({ name: 'a', force: false }, group.call(5000)),
    );
    const outcomes = await group.until(Promise.allSettled(removing));
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
    // Whoever was refused may ask again: until somebody has removed it.
    await group.untilHolds(async () => {
      const { status = 'fulfilled' } = (await Promise.allSettled([group.remove('b', 'a')]))[0] ?? {};
      return status === 'fulfilled' || (await names('b')).join() === 'b,c';
    });
    await group.untilHolds(async () => {
      const homes = await Promise.all(['b', 'c'].map(async (name) => (await group.at(name).find('ns')).home));
      return homes[0] === homes[1] && homes[0] !== undefined && ['b', 'c'].map(idOf).includes(homes[0]);
    });
    expect([await names('b'), await names('c')]).toEqual([
      ['b', 'c'],
      ['b', 'c'],
    ]);
  });

  it('leaves its homes to one that goes on where it and its successor are removed one after the other', async () => {
    group.crash('a');
    await group.remove('b', 'a');
    await group.untilHolds(async () => (await group.at('c').find('ns')).home === idOf('b'));
    group.crash('b');
    await group.remove('c', 'b', true);
    expect((await group.at('c').find('ns')).home).toBe(idOf('c'));
    expect((await group.write('c', absent)).written).toHaveLength(1);
  });

  it('has nothing taken from it any more by who reported, also after a restart', async () => {
    const [a, b, c] = [idOf('a'), idOf('b'), idOf('c')];
    group.cut('a', 'b');
    await group.until(group.at('c').report({ member: a, initiator: b, reporter: c }));
    await group.put('a', 'k', 'after the report');
    await group.pass(1000);
    expect(await group.text('c', 'k')).toBe(null);
    group.crash('c');
    await group.open('c');
    await group.pass(1000);
    expect(await group.text('c', 'k')).toBe(null);
    await group.until(group.at('c').report({ member: a, initiator: b, reporter: c, withdraws: true }));
    await group.alike(['c'], 'k', 'after the report');
  });

  it('has nothing acknowledged to it any more by who reported, before it is known what became of that', async () => {
    await group.open('d', ['a']);
    await group.ready('d');
    await group.settled('a', 'b', 'c', 'd');
    group.cut('a', 'd');
    group.cut('c', 'd');
    await group.pass(400);
    const [a, b, d] = [idOf('a'), idOf('b'), idOf('d')];
    await group.until(group.at('b').report({ member: a, initiator: d, reporter: b }));
    await group.pass(300);
    const written = async (key: string) => {
      const request = { mutations: [{ ...absent, key }], durability: 'majority' } as const;
      return (await group.write('a', absent, request)).durability;
    };
    // It comes to b by c.
    expect(await written('reported')).toBe('local');
    await group.alike(['b'], 'reported', 'x');
    // The report runs out, and d may have decided by it: nobody has heard of d since.
    group.cut('b', 'd');
    await group.pass(61_000);
    expect(await written('run out')).toBe('local');
    await group.alike(['b'], 'run out', 'x');
    group.mend('b', 'd');
    await group.untilHolds(async () => (await written(`heard ${group.time.nowMs}`)) === 'majority');
    // And that is known from then on, also after a restart.
    group.cut('b', 'd');
    await group.pass(400);
    expect(await written('away again')).toBe('majority');
    await group.reopen('b');
    await group.untilHolds(async () => (await written(`opened ${group.time.nowMs}`)) === 'majority');
  });

  it('has nothing acknowledged to it by who reported again before the withdrawal of the first time came', async () => {
    group.cut('a', 'c');
    group.cut('b', 'c');
    await group.pass(400);
    // From now on c reaches b, and b hears nothing of c.
    const [b, c] = [group.at('b'), group.at('c')];
    const [report, follow] = [b.report.bind(b), c.follow.bind(c)];
    c.follow = (open, ...rest) => {
      if (open.node.name === 'b') throw new MeridianError('UNAVAILABLE', 'stalled', { reason: 'connection' });
      return follow(open, ...rest);
    };
    let asked = 0;
    let withdrawal: (() => Promise<unknown>) | undefined;
    b.report = async (request, call) => {
      if (request.withdraws === true) {
        withdrawal = () => report(request, call);
        return new Promise(() => {});
      }
      const reported = await report(request, call);
      if (++asked === 1) throw new MeridianError('UNAVAILABLE', 'the answer was lost', { reason: 'connection' });
      return reported;
    };
    group.mend('b', 'c');
    await group.untilHolds(async () => (await c.status()).peers?.some(({ state }) => state === 'live') === true);
    await expect(group.remove('c', 'a')).rejects.toMatchObject({ details: { reason: 'too-few-reports' } });
    expect((await group.remove('c', 'a')).missing).toEqual([]);
    await group.until(withdrawal?.() ?? Promise.reject(new Error('nothing was withdrawn')));
    await group.pass(1000);
    // Its successor decides without it: no majority may count the one that reported.
    const { durability } = await group.write('a', absent, { durability: 'majority' });
    expect(durability).toBe('local');
    expect((await group.write('c', absent)).written).toHaveLength(1);
  });

  it('leaves a home that it moved to who removed it, where too few had heard of that: one of the two decides', async () => {
    await group.open('d', ['a']);
    await group.ready('d');
    await group.settled('a', 'b', 'c', 'd');
    for (const one of ['a', 'b']) for (const other of ['c', 'd']) group.cut(one, other);
    expect((await group.until(group.at('a').moveHome('ns', 'b', group.call()))).durability).toBe('local');
    await group.untilHolds(async () => (await group.at('b').find('ns')).home === idOf('b'));
    await expect(group.write('b', absent), 'of four, two know of it').rejects.toMatchObject({
      details: { reason: 'home-moved' },
    });
    group.crash('a');
    await group.remove('c', 'a');
    for (let i = 0; i < 60; i++) await group.put('c', `k${i}`, 'comes to b first');
    expect((await group.write('c', absent, { durability: 'majority' })).durability).toBe('majority');
    for (const other of ['c', 'd']) group.mend('b', other);
    let refused: unknown;
    await group.untilHolds(async () => {
      refused = await group.write('b', absent).catch((error: MeridianError) => error.details.reason);
      return refused !== 'home-moved' && refused !== 'home-away';
    });
    expect(refused).toBe('condition-not-met');
  });

  it('has no majority with members that it let in, and that nobody else has let follow yet (R19)', async () => {
    for (const one of ['b', 'c']) for (const name of ['a', 'd', 'e']) group.cut(one, name);
    for (const name of ['d', 'e']) await group.open(name, ['a']);
    await group.untilHolds(async () => (await group.until(group.at('a').members(group.call()))).length === 5);
    await group.pass(500);
    const { durability } = await group.write('a', absent, { durability: 'majority' });
    // Of the other side nobody knows of the new ones: two of three are enough to remove it.
    await group.remove('c', 'a');
    expect((await group.write('c', absent, { durability: 'majority' })).durability).toBe('majority');
    expect(durability).toBe('local');
    for (const one of ['b', 'c']) for (const name of ['a', 'd', 'e']) group.mend(one, name);
    await group.beginsAnew('a');
    await group.ready('d', 'e');
    expect((await group.put('d', 'k', 'v', { durability: 'all' })).durability).toBe('all');
  });

  it('counts no majority among fewer members than those who acknowledge know of (R22)', async () => {
    // c lets d in. b hears of that, and a of nobody: what the others have comes to it slowly.
    const b = group.at('b');
    const follow = b.follow.bind(b);
    b.follow = (open, ...rest) => {
      if (open.node.name === 'a') throw new MeridianError('UNAVAILABLE', 'stalled', { reason: 'connection' });
      return follow(open, ...rest);
    };
    group.cut('a', 'b');
    group.cut('a', 'c');
    group.cut('a', 'd');
    await group.pass(400);
    group.mend('a', 'b');
    await group.open('d', ['c']);
    await group.ready('d');
    await group.untilHolds(async () => (await group.until(b.members(group.call()))).length === 4);
    for (const name of ['c', 'd']) group.cut('b', name);
    const { durability } = await group.write('a', absent, { durability: 'majority' });
    await group.alike(['b'], 'once', 'x');
    // It is two of four, and two others are enough to remove it.
    group.crash('a');
    group.crash('b');
    await group.remove('c', 'a');
    expect((await group.write('c', absent)).written, 'decided once more').toHaveLength(1);
    expect(durability).toBe('local');
  });

  it.each([
    ['a write before it', 'stall'],
    ['its own commit', 'removed/'],
  ])('is acknowledged nothing where it was decided in time, and %s takes long', async (_what, stalled) => {
    let release = (): void => {};
    const over = new Promise<void>((resolve) => {
      release = resolve;
    });
    group.crash('c');
    await group.open('c', ['a'], {}, async ({ stores: { store } }) => {
      const commit = store.commit.bind(store);
      store.commit = async (batch) => {
        if (batch.puts.some(({ record }) => record.key.startsWith(stalled))) await over;
        return commit(batch);
      };
    });
    await group.settled('a', 'b', 'c');
    group.cut('a', 'c');
    await group.pass(400);
    const [b, c] = [group.at('b'), group.at('c')];
    const report = b.report.bind(b);
    const value = Buffer.from('x');
    b.report = async (...asked) => {
      const reported = await report(...asked);
      const mutations = [{ kind: 'put', key: 'stall', value } as const];
      void c.write({ namespace: 'ns', mutations, session: emptySession }, group.call()).catch(() => {});
      return reported;
    };
    const removed = c.removeMember({ name: 'a', force: false }, group.call(5000)).then(
      () => true,
      () => false,
    );
    // What b reported has run out, and nothing of a removal is heard of from c.
    await group.pass(61_000);
    const { durability } = await group.write('a', absent, { durability: 'majority' });
    release();
    expect(durability).toBe('local');
    // By now its reports may have been given to another, which had to be known as it was decided.
    expect(await group.until(removed)).toBe(stalled === 'removed/');
  });

  it('is followed again once who removed it is heard of in a later opening, which knows nothing of that', async () => {
    const [a, b, c] = [idOf('a'), idOf('b'), idOf('c')];
    const { logs = [] } = (await group.until(group.at('b').members(group.call()))).find(({ id }) => id === b) ?? {};
    const openedMs = logs.at(-1)?.openedMs ?? 0;
    const opened = makeStamp({ wallMs: openedMs, counter: 0xffff, log: group.at('b').log });
    const image = group.image('b');
    group.cut('a', 'b');
    await group.until(group.at('c').report({ member: a, initiator: b, opened, reporter: c }));
    await group.put('a', 'k', 'after the report');
    await group.pass(1000);
    group.crash('c');
    await group.open('c');
    await group.pass(1000);
    expect(await group.text('c', 'k')).toBe(null);
    group.putBack('b', image);
    group.mend('a', 'b');
    await group.open('b', ['c']);
    await group.settled('a', 'b', 'c');
    await group.alike(['b', 'c'], 'k', 'after the report');
  });

  it('is reported on also by an origin that cannot be followed, and was never met since a restart', async () => {
    group.crash('b');
    await group.open('b', [], {}, async ({ clock }) => {
      (clock as VirtualClock).skewMs = -500;
    });
    await group.pass(200);
    group.crash('a');
    const { peers = [] } = await group.at('b').status();
    expect(peers.map(({ address, id }) => [address, id])).toContainEqual(['c', '']);
    expect((await group.remove('b', 'a')).missing).toEqual([]);
  });

  it('leaves who it let in, whom only a survivor knows, to be reckoned with by all', async () => {
    const unmet = 'dddddddddddddddd' as MemberId;
    const b = group.at('b');
    const report = b.report.bind(b);
    const spy = vi.spyOn(b, 'report').mockImplementation(async (request, call) => {
      const told = await report(request, call);
      return { ...told, registered: [...told.registered, unmet] };
    });
    group.crash('a');
    expect((await group.remove('c', 'a')).missing).toEqual([unmet]);
    spy.mockRestore();
    // Soon b knows it by that removal alone, and it can be removed as well.
    await group.untilHolds(async () => !(await names('b')).includes('a'));
    expect((await group.remove('b', unmet)).missing).toEqual([]);
  });

  async function names(at: string): Promise<string[]> {
    const members = await group.until(group.at(at).members({ ...group.call(), forwarded: true }));
    return members.map(({ name }) => name).sort();
  }
});

it('a deletion that waited for a member is purged once that is removed (R19)', async () => {
  const group = new OriginGroup({ tombstoneRetentionMs: 100 });
  await group.open('a');
  await group.until(group.at('a').create('ns', group.call()));
  await group.open('b', ['a']);
  await group.ready('b');
  await group.put('a', 'k', 'v');
  await group.alike(['b'], 'k', 'v');
  group.crash('b');
  await group.write('a', { kind: 'delete', key: 'k' });
  await group.pass(3000);
  expect((await group.get('a', 'k')).record?.kind).toBe('tombstone');
  expect((await group.at('a').status()).notes.join()).toContain('1 deletions are past their retention');
  await group.remove('a', 'b');
  await group.put('a', 'other', 'x');
  await group.untilHolds(async () => (await group.get('a', 'k')).record === undefined);
});
