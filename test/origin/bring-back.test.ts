import { expect, it } from 'vitest';
import type { Record } from '../../src/model/record.ts';
import { type BringBackOptions, bringBack } from '../../src/origin/membership/bring-back.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { OwnLog } from '../../src/origin/own-log.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { live, namespaceA } from '../contract/sample-records.ts';
import { log, member } from '../replication/registry-records.ts';
import { MemoryDisk, type MemoryStore } from '../support/memory-store.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualClock, VirtualTime } from '../support/virtual-time.ts';
import { OriginGroup } from './origin-group.ts';

const snapshotMs = 300_000;

let time: VirtualTime;
let kept: Record[];
let isDropped: boolean;

/** Brings back what a store has alone that was put aside, a thousand records; each takes a second to be kept apart. */
async function bringing(prepare: (aside: MemoryStore, clock: VirtualClock) => void, signal: AbortSignal) {
  time = new VirtualTime();
  kept = [];
  isDropped = false;
  const clock = new VirtualClock(time);
  const ledger = await Ledger.open({ ...originDefaults, store: new MemoryDisk().open(), clock, observer });
  const ownLog = new OwnLog({ member: member(1), logs: ledger.registry.logs, random: new SeededRandom(1), clock });
  const aside = new MemoryDisk().open();
  // Of a namespace that nobody knows: all of it is kept apart.
  const records = Array.from({ length: 1000 }, (_, n) => live({ key: `k${n}`, sequence: n + 1, log: log(9) }));
  await aside.commit({
    puts: records.map((record) => ({ record, held: undefined })),
    removals: [],
    meta: new Map(),
    sync: true,
  });
  prepare(aside, clock);
  return bringBack({
    ...{ ledger, ownLog, clock, tombstoneRetentionMs: 1000, clockSkewMsMax: 0, signal },
    stores: {
      store: ledger.store,
      aside: [aside],
      dropAside: async () => {
        isDropped = true;
      },
    } as unknown as BringBackOptions['stores'],
    keepApart: async (_member, apart) => {
      kept = [];
      for await (const record of apart) {
        kept.push(record);
        await time.wait(1000);
      }
      return 'a file';
    },
  });
}

async function pass(seconds: number, isOver: () => boolean): Promise<void> {
  for (let waited = 0; waited < seconds && !isOver(); waited++) await time.runUntil(time.nowMs + 1000);
}

it('what a store that was put aside has alone is brought back, also where a database ends a snapshot before all is read', async () => {
  let failed: unknown;
  const endSnapshots = (aside: MemoryStore, clock: VirtualClock) => {
    const snapshot = aside.snapshot.bind(aside);
    aside.snapshot = () => {
      const taken = snapshot();
      clock.timer(snapshotMs, () => void taken.close());
      return taken;
    };
  };
  void bringing(endSnapshots, new AbortController().signal).catch((error: unknown) => {
    failed = error;
  });
  await new Promise(setImmediate);
  await pass(1200, () => isDropped || failed !== undefined);
  expect(failed).toBe(undefined);
  expect([kept.length, new Set(kept.map(({ key }) => key)).size, isDropped]).toEqual([1000, 1000, true]);
  expect(kept.every(({ namespace }) => namespace === namespaceA)).toBe(true);
});

it('what a store that was put aside has alone is left for the next start where the process is to end', async () => {
  const stop = new AbortController();
  let failed: unknown;
  void bringing(() => {}, stop.signal).catch((error: unknown) => {
    failed = error;
  });
  await new Promise(setImmediate);
  await pass(10, () => false);
  stop.abort(new Error('stopped'));
  await pass(1200, () => failed !== undefined || isDropped);
  expect([failed, isDropped]).toEqual([stop.signal.reason, false]);
  expect(kept.length).toBeLessThan(1000);
});

it('what a store that was put aside has alone is brought back once there is room, where the disk was full until then', async () => {
  const group = new OriginGroup();
  await group.openThree();
  for (const other of ['b', 'c']) group.cut('a', other);
  await group.pass(50);
  await group.put('a', 'mine', 'seen by nobody');
  await group.remove('b', 'a');
  for (const other of ['b', 'c']) group.mend('a', other);
  await group.untilHolds(() => group.anew('a') !== undefined);
  await group.reopen('a');
  group.disk('a').full = true;
  await group.ready('a');
  await group.pass(3000);
  expect(await group.text('a', 'mine')).toBe(null);
  group.disk('a').full = false;
  await group.alike(['a', 'b', 'c'], 'mine', 'seen by nobody');
});
