import { describe, expect, it } from 'vitest';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { Record } from '../../src/model/record.ts';
import { Logs } from '../../src/replication/logs.ts';
import { Members, memberKeys } from '../../src/replication/members.ts';
import { namespaceA } from '../contract/sample-records.ts';
import { log, member, registered, registeredMember, removed, said, sealed, vector } from './registry-records.ts';

function knowing(...records: readonly Record[]): Members {
  const logs = new Logs();
  const members = new Members(logs);
  for (const record of records) if (!logs.apply(record)) members.apply(record);
  return members;
}

const [one, two, three] = [1, 2, 3].map((n) => registeredMember(n, [n, 2])) as [Record, Record, Record];
const ids = (members: readonly { readonly id: string }[]) => members.map(({ id }) => id).sort();

describe('the members of a cluster', () => {
  it('are registered until they are removed, and serve once they have opened a log', () => {
    const members = knowing(one, two, three, registered(1, 1), registered(3, 3), removed(3, 1, [1, 5]));
    expect(ids(members.registered())).toEqual([member(1), member(2)]);
    expect(ids(members.serving())).toEqual([member(1)]);
    expect(members.member(member(3))).toBe(undefined);
    expect(members.isRemoved(member(3))).toBe(true);
    expect(members.nameOf(member(3)), 'known by its name all the same').toBe('member 3');
  });

  it('count before anything is purged also where only the survivors of a removal knew them (R19)', () => {
    const value = { name: 'member 2', successor: member(1), members: [member(1), member(7)] };
    const members = knowing(one, two, said(`removed/${member(2)}`, value, { log: log(1), sequence: 9 }));
    expect([...members.counted()].sort()).toEqual([member(1), member(7)]);
  });
});

describe('the home of a namespace', () => {
  const movedTo = (n: number, at: readonly [n: number, sequence: number]) =>
    said(memberKeys.home(namespaceA), { home: member(n) }, { log: log(at[0]), sequence: at[1] });

  it('is its creator, or where it moved, or who took over from those that are removed, one after another', () => {
    expect(knowing(one, two).home(namespaceA, member(1))).toBe(member(1));
    expect(knowing(one, two, movedTo(2, [1, 3])).home(namespaceA, member(1))).toBe(member(2));
    const twice = knowing(one, two, three, removed(1, 2, [2, 5]), removed(2, 3, [3, 5]));
    expect(twice.home(namespaceA, member(1))).toBe(member(3));
  });

  it('is decided at only once that covers the move, and each removal that passed it on', () => {
    const moved = knowing(one, two, movedTo(2, [1, 3]));
    expect(moved.mayDecide(namespaceA, member(1), vector({ 1: 2 }))).toBe(false);
    expect(moved.mayDecide(namespaceA, member(1), vector({ 1: 3 }))).toBe(true);
    const twice = knowing(one, two, three, removed(1, 2, [2, 5]), removed(2, 3, [3, 5]));
    expect(twice.mayDecide(namespaceA, member(1), vector({ 3: 5 })), 'the first removal is not covered').toBe(false);
    expect(twice.mayDecide(namespaceA, member(1), vector({ 2: 5, 3: 4 }))).toBe(false);
    expect(twice.mayDecide(namespaceA, member(1), vector({ 2: 5, 3: 5 }))).toBe(true);
    const folded = knowing(one, two, three, removed(1, 2, [2, 5]), sealed(2, 2, 6, [3, 4]), removed(2, 3, [3, 5]));
    expect(folded.mayDecide(namespaceA, member(1), vector({ 3: 5 })), 'by the seal of its log').toBe(true);
  });

  it('is nobody’s where two removed each other while they were parted', () => {
    const members = knowing(one, two, removed(1, 2, [2, 5]), removed(2, 1, [1, 5]));
    expect(members.mayDecide(namespaceA, member(1), vector({ 1: 5, 2: 5 }))).toBe(false);
  });

  it('of the registry is known once a record names it', () => {
    expect(knowing(one).registryHome()).toBe(undefined);
    const named = said(memberKeys.home(registryNamespace), { home: member(1) }, { log: log(1), sequence: 3 });
    expect(knowing(one, two, named).registryHome()).toBe(member(1));
    expect(knowing(one, two, named, removed(1, 2, [2, 5])).registryHome()).toBe(member(2));
  });
});
