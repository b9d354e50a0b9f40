import { expect, it } from 'vitest';
import type { MemberId } from '../../src/model/position.ts';
import { OriginGroup } from './origin-group.ts';

it('a member that is to be removed is reported on to one alone of two that ask for that in the same moment (R22)', async () => {
  const group = new OriginGroup();
  await group.open('a');
  for (const name of ['b', 'c', 'd']) await group.open(name, ['a']);
  await group.ready('b', 'c', 'd');
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => group.at(name).identity.id as MemberId);
  if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('four are open');
  group.crash('a');
  const asked = [b, c].map((initiator) => group.at('d').report({ member: a, initiator, reporter: d }));
  const [first, second] = await group.until(Promise.allSettled(asked));
  expect(first?.status).toBe('fulfilled');
  expect(second).toMatchObject({ status: 'rejected', reason: { details: { reason: 'removal-open' } } });
});

it('a member has nothing taken from it by who reported on it, also where that had yet to hear of it and was restarted (R22)', async () => {
  const group = new OriginGroup();
  await group.openThree();
  for (const other of ['a', 'b', 'd']) group.cut('c', other);
  await group.open('d', ['a']);
  await group.ready('d');
  const [b, c, d] = ['b', 'c', 'd'].map((name) => group.at(name).identity.id as MemberId);
  if (b === undefined || c === undefined || d === undefined) throw new Error('four are open');
  await group.until(group.at('c').report({ member: d, initiator: b, reporter: c }));
  await group.reopen('c');
  group.mend('c', 'd');
  await group.put('d', 'k', 'after the report');
  await group.pass(2000);
  expect(await group.text('c', 'k')).toBe(null);
  await group.until(group.at('c').report({ member: d, initiator: b, reporter: c, withdraws: true }));
  await group.alike(['c'], 'k', 'after the report');
});

it('a member is reported on to one initiator at a time, also where the wall clock jumps ahead meanwhile (R22)', async () => {
  const group = new OriginGroup();
  await group.openThree();
  await group.open('d', ['a']);
  await group.ready('d');
  const [a, b, d] = ['a', 'b', 'd'].map((name) => group.at(name).identity.id as MemberId);
  const { id: c } = group.at('c').identity;
  if (a === undefined || b === undefined || d === undefined) throw new Error('all are open');
  const report = (initiator: MemberId) =>
    group.until(group.at('c').report({ member: a, initiator, reporter: c as MemberId }));
  await report(b);
  // b may be about to decide, by its own time.
  group.clock('c').skewMs = 120_000;
  await expect(report(d)).rejects.toMatchObject({ details: { reason: 'removal-open' } });
});

it('a member is not removed by reports that ran out while the machine of the initiator slept (R22)', async () => {
  const group = new OriginGroup();
  await group.openThree();
  group.cut('a', 'b');
  group.cut('a', 'c');
  const b = group.at('b');
  const report = b.report.bind(b);
  b.report = async (...asked) => {
    const reported = await report(...asked);
    group.clock('c').skewMs = 61_000; // Its monotonic clock stood still.
    return reported;
  };
  await expect(group.remove('c', 'a')).rejects.toMatchObject({ details: { reason: 'removal-late' } });
});
