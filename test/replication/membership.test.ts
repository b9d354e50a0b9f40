import { describe, expect, it } from 'vitest';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import { Membership, membershipKeys, type Retirement } from '../../src/replication/membership.ts';
import { live } from '../contract/sample-records.ts';

const [x, y, z] = ['1', '2', '3'].map((digit) => digit.repeat(16)) as [LogId, LogId, LogId];

function tell(membership: Membership, key: string, value: unknown): void {
  membership.apply(live({ namespace: registryNamespace, key, sequence: 1, value: Buffer.from(JSON.stringify(value)) }));
}

function remove(membership: Membership, retirement: Omit<Retirement, 'name'>): void {
  tell(membership, membershipKeys.retired(retirement.id), { ...retirement, name: retirement.id });
}

describe('what a session needs that saw what a removed origin wrote (R23)', () => {
  it('is all that was adopted beyond the final sequence', () => {
    const membership = new Membership();
    remove(membership, { id: x, final: 10, heir: y, adopters: [y, z] });
    expect(membership.requiredBy(new Map([[x, 10]]))).toEqual(new Map([[x, 10]]));
    const session = new Map([[x, 12]]);
    tell(membership, membershipKeys.adopted(x, y), { end: 50 });
    expect(membership.requiredBy(session), 'nobody has heard of the other one yet').toBeUndefined();
    tell(membership, membershipKeys.adopted(x, z), { end: 5 });
    expect(membership.requiredBy(session)).toEqual(new Map([x, y, z].map((id, index) => [id, [10, 50, 5][index]])));
  });

  it('is what was adopted in its turn, where who adopted it is removed before all had heard of that', () => {
    const membership = new Membership();
    remove(membership, { id: x, final: 10, heir: z, adopters: [y, z] });
    tell(membership, membershipKeys.adopted(x, y), { end: 50 });
    tell(membership, membershipKeys.adopted(x, z), { end: 5 });
    remove(membership, { id: y, final: 40, heir: z, adopters: [z] });
    expect(membership.requiredBy(new Map([[x, 12]]))).toBeUndefined();
    tell(membership, membershipKeys.adopted(y, z), { end: 7 });
    expect(membership.requiredBy(new Map([[x, 12]]))).toEqual(
      new Map([x, y, z].map((id, index) => [id, [10, 40, 7][index]])),
    );
  });

  it('decides nothing for a home before it has that, either', () => {
    const membership = new Membership();
    remove(membership, { id: x, final: 10, heir: z, adopters: [y, z], awaited: [y] });
    tell(membership, membershipKeys.adopted(x, y), { end: 50 });
    remove(membership, { id: y, final: 40, heir: z, adopters: [z] });
    tell(membership, membershipKeys.adopted(y, z), { end: 7 });
    const mayDecide = (seventh: number) =>
      membership.mayDecide(
        registryNamespace,
        x,
        new Map([
          [x, 10],
          [y, 40],
          [z, seventh],
        ]),
      );
    expect(mayDecide(6)).toBe(false);
    expect(mayDecide(7)).toBe(true);
  });
});
