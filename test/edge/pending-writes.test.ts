import { expect, it } from 'vitest';
import { CopyScope } from '../../src/edge/copy-scope.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { PendingWrites } from '../../src/edge/pending-writes.ts';
import { beginning, mayKeep } from '../../src/edge/scope.ts';
import { everything } from '../../src/model/filter.ts';
import type { Record } from '../../src/model/record.ts';
import { StalenessTracker } from '../../src/replication/following/staleness-tracker.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { live } from '../contract/sample-records.ts';
import { current, log, registered, sealed, vector } from '../replication/registry-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const write = (key: string, sequence: number, valueBytes = 1) =>
  live({ key, sequence, log: log(1), value: new Uint8Array(valueBytes) });

async function pending(bytesMax = 10_000) {
  const ledger = await Ledger.open({ ...edgeDefaults, store: new MemoryDisk().open(), clock, observer });
  const covers = (covered: ReturnType<typeof vector>, ...puts: Record[]) =>
    ledger.submit({
      keys: puts,
      sync: true,
      bytes: 0,
      decide: () => ({ puts, state: { covered }, result: undefined }),
    });
  return { writes: new PendingWrites(ledger, bytesMax), covers };
}

it('a pending write is shown until the feed covers it, and an earlier one of its key stays out', async () => {
  const { writes, covers } = await pending();
  writes.set(write('k', 5));
  writes.set(write('k', 4));
  expect(writes.get(write('k', 1))?.position.sequence).toBe(5);
  await covers(vector({ 1: 4 }));
  expect(writes.get(write('k', 1))).toBeDefined();
  await covers(vector({ 1: 5 }));
  expect([writes.get(write('k', 1)), writes.bytes]).toEqual([undefined, 0]);
  writes.set(write('k', 3));
  expect(writes.bytes, 'covered already').toBe(0);
});

it('a pending write goes once its log is sealed before it, or is void', async () => {
  const { writes, covers } = await pending();
  writes.set(write('beyond', 6));
  writes.set(write('within', 5));
  await covers(vector({ 2: 1 }), registered(2, 1), sealed(1, 1, 5, [2, 2]));
  expect([writes.get(write('beyond', 1)), writes.get(write('within', 1))]).toEqual([undefined, write('within', 5)]);
  await covers(vector({ 2: 2 }));
  expect(writes.get(write('within', 1)), 'covered by the seal').toBe(undefined);
  const other = await pending();
  other.writes.set(write('k', 5));
  await other.covers(vector({ 2: 2 }), registered(1, 1), registered(2, 1), current(1, 2, [2, 2]));
  expect(other.writes.get(write('k', 1))).toBe(undefined);
});

// Of a lost log nothing is ever covered: the write was shown again once the deletion that followed it was purged.
it('a pending write goes once the feed brings a later one of its key', async () => {
  const { writes } = await pending();
  const [earlier, later] = [write('k', 5), write('k', 6)];
  writes.set(earlier);
  writes.overtake({ records: [write('other', 9), write('k', 4)] });
  expect(writes.get(earlier)).toBeDefined();
  writes.overtake({ records: [later] });
  expect([writes.get(earlier), writes.bytes]).toEqual([undefined, 0]);
});

it('a pending write goes once the upstream has lost another record of its key, and stays if it is that record', async () => {
  const { writes } = await pending();
  const kept = write('k', 5);
  writes.set(kept);
  const lostAt = (sequence: number) => ({
    records: [],
    lost: { records: [{ ...kept, position: { log: log(1), sequence } }], upTo: vector({ 1: sequence }) },
  });
  writes.overtake(lostAt(5));
  expect(writes.get(kept)).toBeDefined();
  writes.overtake(lostAt(6));
  expect([writes.get(kept), writes.bytes]).toEqual([undefined, 0]);
});

it('pending writes are bounded in bytes: the oldest go first, and one that is larger than all is not kept', async () => {
  const { writes } = await pending(2700);
  for (const [index, key] of ['a', 'b', 'c'].entries()) writes.set(write(key, index + 1, 300));
  expect(['a', 'b', 'c'].map((key) => writes.get(write(key, 1))?.key)).toEqual([undefined, 'b', 'c']);
  expect(writes.bytes).toBeLessThanOrEqual(2700);
  writes.set(write('large', 9, 3000));
  expect(writes.get(write('large', 1))).toBe(undefined);
  writes.clear();
  expect([writes.get(write('b', 1)), writes.bytes]).toEqual([undefined, 0]);
});

it('what began while a copy became void is not held ahead of its feed: it may be of a log that is lost', async () => {
  let synced = async () => {};
  const ledger = await Ledger.open({
    ...edgeDefaults,
    store: new MemoryDisk().open(() => synced()),
    clock,
    observer,
  });
  const copy = await CopyScope.open({
    ledger,
    clock,
    observer,
    filter: everything,
    tracker: new StalenessTracker(clock, 1000),
    listener: { joined: async () => {}, heard: () => {} },
  });
  const caughtUp = (covered: ReturnType<typeof vector>) =>
    copy.apply({ kind: 'caught-up', vector: covered, stable: vector({}), floor: vector({}) });
  await copy.apply({ kind: 'changes', records: [registered(1, 1)] });
  await caughtUp(vector({ 1: 1 }));
  let kept = false;
  synced = async () => {
    const begun = beginning(copy);
    const { position } = write('k', 5);
    kept = mayKeep(copy, begun, vector({ 1: 5 }), position);
    if (kept) await copy.install(write('k', 5));
  };
  await copy.apply({ kind: 'resync', reason: 'void-log' });
  synced = async () => {};
  await copy.apply({ kind: 'changes', records: [registered(2, 1)], range: {} });
  await caughtUp(vector({ 2: 1 }));
  expect([kept, await copy.lookup(write('k', 5))]).toMatchObject([true, { record: undefined }]);
});
