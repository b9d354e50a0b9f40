import { describe, expect, it } from 'vitest';
import type { Cursor, EpochHistory } from '../../src/model/epoch.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { OriginId } from '../../src/model/position.ts';
import { cursorRefused } from '../../src/replication/check-cursor.ts';
import { emptyLedgerState } from '../../src/replication/ledger-state.ts';
import { Membership, membershipKeys } from '../../src/replication/membership.ts';
import { live, originOne, originTwo } from '../contract/sample-records.ts';

const history: EpochHistory = [
  { epoch: 1, first: 1 },
  { epoch: 2, first: 21 },
];
const state = {
  ...emptyLedgerState,
  covered: new Map([
    [originOne, 30],
    [originTwo, 9],
  ]),
  floor: new Map([[originTwo, 5]]),
  epochs: new Map([[originOne, history]]),
};

function cursor(components: ReadonlyArray<readonly [OriginId, number, number?]>): Cursor {
  return new Map(components.map(([origin, sequence, epoch]) => [origin, { sequence, epoch }]));
}

function retiredAt(final: number): Membership {
  const membership = new Membership();
  const retirement = { id: originOne, name: 'one', final, heir: originTwo, adopters: [originTwo] };
  const key = membershipKeys.retired(originOne);
  membership.apply(
    live({ namespace: registryNamespace, key, sequence: 1, origin: originTwo, value: JSON.stringify(retirement) }),
  );
  return membership;
}

const anyone = { self: undefined, membership: new Membership(), isPeer: false };

describe('a cursor', () => {
  it('is refused below the floor, exactly', () => {
    expect(cursorRefused(cursor([[originTwo, 5]]), state, anyone)).toBe(undefined);
    expect(cursorRefused(cursor([[originTwo, 4]]), state, anyone)).toBe('below-floor');
    expect(cursorRefused(cursor([]), state, anyone)).toBe('below-floor');
  });

  it('is refused where it names another opening of a sequence that is known, or one that another took over from', () => {
    const at = (sequence: number, epoch: number) =>
      cursor([
        [originTwo, 9],
        [originOne, sequence, epoch],
      ]);
    expect(cursorRefused(at(20, 1), state, anyone)).toBe(undefined);
    expect(cursorRefused(at(21, 1), state, anyone)).toBe('unknown-epoch');
    expect(cursorRefused(at(40, 1), state, anyone)).toBe('unknown-epoch');
    expect(cursorRefused(at(25, 3), state, anyone)).toBe('unknown-epoch');
    // What is not covered here may be of an opening that is not known here.
    expect(cursorRefused(at(40, 3), state, anyone)).toBe(undefined);
    expect(cursorRefused(at(40, 3), state, { ...anyone, self: originOne })).toBe('unknown-epoch');
  });

  it('of a follower is refused beyond a final sequence; a peer takes the word with what it lacks, if nothing is missing', () => {
    const membership = retiredAt(15);
    const beyond = (of: number) =>
      cursor([
        [originOne, 20, 1],
        [originTwo, of],
      ]);
    expect(cursorRefused(beyond(9), state, { ...anyone, membership })).toBe('retired');
    expect(cursorRefused(beyond(9), state, { ...anyone, membership, isPeer: true })).toBe(undefined);
    expect(cursorRefused(beyond(4), state, { ...anyone, membership, isPeer: true })).toBe('below-floor');
  });
});
