import { expect, it } from 'vitest';
import type { Record } from '../../src/model/record.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { Stability } from '../../src/origin/stability.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { member, registered, registeredMember, removed, sealed, vector } from '../replication/registry-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';

/** Member 1, which covers this much and knows of members 2 and 3. */
async function covering(covered: ReturnType<typeof vector>, ...more: Record[]) {
  const ledger = await Ledger.open({ ...originDefaults, store: new MemoryDisk().open(), clock, observer });
  const puts: Record[] = [...[1, 2, 3].map((n) => registeredMember(n, [4, n])), ...more];
  const commit = (records: readonly Record[], state = {}) =>
    ledger.submit({ keys: records, sync: true, bytes: 0, decide: () => ({ puts: records, state, result: undefined }) });
  await commit(puts, { covered });
  const stability = new Stability(ledger, member(1));
  const stable = async () => {
    await stability.refresh();
    return ledger.state.stable;
  };
  return { stability, stable, commit };
}

it('stable is what every member has told, and this one covers: nothing while one was not heard of', async () => {
  const { stability, stable } = await covering(vector({ 1: 9, 2: 5 }));
  stability.tell(member(2), vector({ 1: 7, 2: 8 }), 'caught-up');
  expect(await stable()).toEqual(vector({}));
  stability.tell(member(3), vector({ 1: 8, 2: 3 }), 'caught-up');
  expect(await stable()).toEqual(vector({ 1: 7, 2: 3 }));
});

it('stable grows with steps, and never falls where a member says less: its disk was put back', async () => {
  const { stability, stable } = await covering(vector({ 1: 9 }));
  stability.tell(member(2), vector({ 1: 6 }), 'caught-up');
  stability.tell(member(3), vector({ 1: 6 }), 'caught-up');
  stability.tell(member(2), vector({ 1: 8 }), 'step');
  stability.tell(member(3), vector({ 1: 8 }), 'step');
  expect(await stable()).toEqual(vector({ 1: 8 }));
  stability.tell(member(2), vector({ 1: 2 }), 'caught-up');
  expect([stability.told(member(2)), await stable()]).toEqual([vector({ 1: 2 }), vector({ 1: 8 })]);
});

it('stable counts a sealed log up to its seal where a member covers the seal, and is folded', async () => {
  const { stability, stable } = await covering(vector({ 5: 3 }), sealed(1, 1, 5, [5, 2]), registered(5, 1));
  stability.tell(member(2), vector({ 1: 4, 5: 1 }), 'caught-up');
  stability.tell(member(3), vector({ 5: 3 }), 'caught-up');
  expect(await stable()).toEqual(vector({ 1: 4, 5: 1 }));
  stability.tell(member(2), vector({ 5: 2 }), 'step');
  expect(await stable()).toEqual(vector({ 5: 2 }));
});

it('stable waits for no member that is removed', async () => {
  const { stability, stable, commit } = await covering(vector({ 1: 9 }));
  stability.tell(member(2), vector({ 1: 9 }), 'caught-up');
  expect(await stable()).toEqual(vector({}));
  await commit([removed(3, 1, [4, 9])]);
  expect(await stable()).toEqual(vector({ 1: 9 }));
});
