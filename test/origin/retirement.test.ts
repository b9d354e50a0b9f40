import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogId } from '../../src/model/position.ts';
import { emptySession, sessionAfterRecord } from '../../src/model/session.ts';
import { finalSequence } from '../../src/origin/final-sequence.ts';
import { sharedUpTo } from '../../src/origin/loss.ts';
import type { VirtualClock } from '../support/virtual-time.ts';
import { OriginGroup } from './origin-group.ts';

describe('an origin that is gone for good', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.open('b', ['a']);
    await group.open('c', ['a']);
    await group.ready('b', 'c');
    await group.untilHolds(async () => {
      const statuses = await Promise.all(['a', 'b', 'c'].map((name) => group.at(name).status()));
      return statuses.every(({ peers = [] }) => peers.filter(({ state }) => state === 'live').length === 2);
    });
  });

  function retire(at: string, name: string, force = false) {
    return group.until(group.at(at).retire({ name, force }, group.call(5000)));
  }

  async function alike(names: readonly string[], key: string, text: string): Promise<void> {
    await group.untilHolds(async () => {
      const texts = await Promise.all(names.map((name) => group.text(name, key)));
      return texts.every((each) => each === text);
    });
  }

  it('leaves what any survivor holds of it to all of them, and its homes to who removed it', async () => {
    group.cut('a', 'c');
    group.cut('b', 'c');
    await group.put('a', 'k', 'at b alone');
    await alike(['b'], 'k', 'at b alone');
    group.crash('a');
    group.mend('b', 'c');
    await group.pass(100);
    const retired = await retire('c', 'a');
    expect(retired.missing).toEqual([]);
    await alike(['b', 'c'], 'k', 'at b alone');
    const absent = { kind: 'put', key: 'once', value: Buffer.from('x'), condition: { kind: 'absent' } } as const;
    await group.untilHolds(() =>
      group.write('b', absent).then(
        () => true,
        () => false,
      ),
    );
    await group.until(group.at('b').create('made after', group.call()));
    expect((await group.until(group.at('b').members(group.call()))).map(({ name }) => name).sort()).toEqual(['b', 'c']);
  });

  it('has what only a survivor that could not report holds adopted, when that comes back', async () => {
    group.cut('a', 'c');
    group.cut('b', 'c');
    const written = await group.put('a', 'k', 'at b alone');
    await alike(['b'], 'k', 'at b alone');
    group.crash('a');
    await expect(retire('c', 'a')).rejects.toMatchObject({ details: { reason: 'too-few-reports', limit: 2, seen: 1 } });
    const { final, missing } = await retire('c', 'a', true);
    expect(missing).toEqual(['b']);
    expect(final).toBeLessThan(written.written[0]?.position.sequence ?? 0);
    group.mend('b', 'c');
    await alike(['b', 'c'], 'k', 'at b alone');
    const [first] = written.written;
    if (first === undefined) throw new Error('nothing was written');
    const { record } = await group.get('c', 'k', sessionAfterRecord(emptySession, first.position, first.stamp));
    expect(record?.stamp).toBe(first.stamp);
    expect(record?.position.log).toBe(group.at('b').identity.id);
  });

  it('is waited for no longer than there is somebody who holds what it left', async () => {
    group.cut('a', 'b');
    group.cut('b', 'c');
    for (let i = 0; i < 40; i++) await group.put('a', `k${i}`, 'at c alone');
    await alike(['c'], 'k39', 'at c alone');
    group.crash('a');
    group.mend('b', 'c');
    // As soon as c is reached: its feed has yet to bring what it reports.
    let left: number | undefined;
    while (left === undefined) {
      await group.pass(1);
      left = await retire('b', 'a').then(
        ({ final }) => final,
        () => undefined,
      );
    }
    group.crash('c');
    await retire('b', 'c');
    const { scopes } = await group.at('b').status();
    const kept = group.at('b').identity.id;
    expect([...(parts[0]?.covered ?? [])].find(([id]) => id !== kept)?.[1]).toBeLessThan(left);
    // Its home passed on: who decides now waits for nothing that is gone.
    const absent = { kind: 'put', key: 'once', value: Buffer.from('x'), condition: { kind: 'absent' } } as const;
    expect((await group.write('b', absent)).written).toHaveLength(1);
  });

  it('counts in no majority any more', async () => {
    group.crash('a');
    group.crash('b');
    expect((await group.put('c', 'k', '1', { durability: 'majority' })).durability).toBe('local');
    await retire('c', 'a', true);
    await retire('c', 'b', true);
    expect((await group.put('c', 'k', '2', { durability: 'majority' })).durability).toBe('majority');
  });

  it('lets a deletion be purged that waited for it', async () => {
    const retention = new OriginGroup({ tombstoneRetentionMs: 100 });
    await retention.open('a');
    await retention.until(retention.at('a').create('ns', retention.call()));
    await retention.open('b', ['a']);
    await retention.ready('b');
    await retention.put('a', 'k', 'v');
    await retention.untilHolds(async () => (await retention.text('b', 'k')) === 'v');
    retention.crash('b');
    await retention.write('a', { kind: 'delete', key: 'k' });
    await retention.pass(3000);
    expect((await retention.get('a', 'k')).record?.kind).toBe('tombstone');
    expect((await retention.at('a').status()).notes.join()).toContain('1 deletions are past their retention');
    await retention.until(retention.at('a').retire({ name: 'b', force: false }, retention.call()));
    await retention.put('a', 'other', 'x');
    await retention.untilHolds(async () => (await retention.get('a', 'k')).record === undefined);
  });

  it('saves what nobody else holds when it comes back, and joins empty under a new id', async () => {
    group.cut('a', 'b');
    group.cut('a', 'c');
    await group.pass(50);
    await group.put('a', 'mine', 'seen by nobody');
    const before = group.at('a').identity.id;
    await group.note('a', 'origin/generation', 'noted');
    await retire('b', 'a');
    await alike(['c'], 'mine', null as unknown as string);
    group.mend('a', 'b');
    group.mend('a', 'c');
    await group.untilHolds(() => group.lost('a') !== undefined);
    await expect(group.put('a', 'k', 'refused')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await group.reopen('a');
    await group.ready('a');
    expect(group.at('a').identity.id).not.toBe(before);
    expect(group.saved.map(({ id, record }) => [id, record.key])).toContainEqual([before, 'mine']);
    // Nothing that was noted under the old id: what tokens or peers' progress meant, they no longer do.
    const names = await group.metaNames('a');
    expect(names.filter((name) => name === 'origin/generation' || name === 'noted')).toEqual([]);
    await group.put('b', 'k', 'after');
    await alike(['a', 'b', 'c'], 'k', 'after');
    expect(await group.text('a', 'mine')).toBe(null);
  });

  it('is noticed where its disk was rolled back: it answers nothing more, and nobody loses what the disk forgot', async () => {
    const disk = group.disk('a');
    const snapshot = disk.synced;
    await group.put('a', 'k', 'after the snapshot');
    await alike(['b', 'c'], 'k', 'after the snapshot');
    const before = group.at('a').identity.id;
    group.crash('a');
    disk.synced = snapshot;
    await group.open('a');
    await group.untilHolds(() => group.lost('a') !== undefined);
    await group.reopen('a');
    await group.ready('a');
    expect(group.at('a').identity.id).not.toBe(before);
    await alike(['a', 'b', 'c'], 'k', 'after the snapshot');
    await group.put('a', 'l', 'from its new life');
    await alike(['a', 'b', 'c'], 'l', 'from its new life');
  });

  it('is removed by one at a time: who may not decide asks nobody else', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => group.at(name).identity.id as LogId) as [
      LogId,
      LogId,
      LogId,
    ];
    group.crash('a');
    await group.until(group.at('c').report({ origin: a, initiator: b, reporter: c }));
    const asked = vi.spyOn(group.at('b'), 'report');
    await expect(retire('c', 'a')).rejects.toMatchObject({ details: { reason: 'retirement-open' } });
    expect(asked).not.toHaveBeenCalled();
    expect((await retire('b', 'a')).missing).toEqual([]);
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
    expect((await retire('b', 'a')).missing).toEqual([]);
  });

  it('leaves who it let in, whom only a survivor knows, to be reckoned with by all', async () => {
    const unmet = 'dddddddddddddddd' as LogId;
    const b = group.at('b');
    const report = b.report.bind(b);
    vi.spyOn(b, 'report').mockImplementation(async (request, call) => {
      const told = await report(request, call);
      return { ...told, registered: [...told.registered, unmet] };
    });
    group.crash('a');
    expect((await retire('c', 'a')).missing).toEqual([unmet]);
    vi.restoreAllMocks();
    // Soon b knows it by that removal alone, and it can be removed as well.
    await group.untilHolds(
      async () => !(await b.members({ ...group.call(), forwarded: true })).some(({ name }) => name === 'a'),
    );
    expect((await retire('b', unmet)).missing).toEqual([]);
  });

  it('is told apart by the fork where two lives of its disk are known', () => {
    const shared = { epoch: 1, first: 1 };
    const older = { sequence: 30, history: [shared] };
    const rolledBack = { sequence: 25, history: [shared, { epoch: 2, first: 21 }] };
    expect(finalSequence([older, { sequence: 12, history: [shared] }])).toBe(30);
    expect(finalSequence([older, rolledBack])).toBe(20);
    expect(finalSequence([rolledBack, { sequence: 15, history: [shared] }])).toBe(25);
    const other = { sequence: 40, history: [shared, { epoch: 3, first: 11 }] };
    expect(finalSequence([other, rolledBack])).toBe(10);
    // Nobody could ever cover what the origin alone holds: homes would wait for it for ever.
    expect(finalSequence([{ sequence: 12, history: [shared] }], rolledBack)).toBe(12);
    expect(finalSequence([older], rolledBack)).toBe(20);
  });

  it('saves what it wrote in an opening that nobody else knows, also below the final sequence', () => {
    const history = [
      { epoch: 1, first: 1 },
      { epoch: 2, first: 21 },
    ];
    expect(sharedUpTo(15, 1, history)).toBe(15);
    expect(sharedUpTo(30, 2, history)).toBe(30);
    expect(sharedUpTo(30, 1, history)).toBe(20);
    expect(sharedUpTo(30, 3, history)).toBe(20);
    expect(sharedUpTo(30, undefined, history)).toBe(30);
  });
});
