import { expect, it, vi } from 'vitest';
import { Sealing } from '../../src/origin/membership/sealing.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { OwnLog } from '../../src/origin/own-log.ts';
import { Stability } from '../../src/origin/stability.ts';
import { type Decision, Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { live, namespaceA } from '../contract/sample-records.ts';
import { member } from '../replication/registry-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { SeededRandom } from '../support/seeded-random.ts';

/** Member 1, alone in its cluster, over a disk that it keeps from one opening to the next. */
async function opened(disk: MemoryDisk, seed: number) {
  const ledger = await Ledger.open({ ...originDefaults, store: disk.open(), clock, observer });
  const { logs } = ledger.registry;
  const ownLog = new OwnLog({ member: member(1), logs, random: new SeededRandom(seed), clock });
  logs.self = { member: member(1), log: () => ownLog.id };
  ledger.onReopened = () => ownLog.begin();
  const stability = new Stability(ledger, member(1));
  const sealing = new Sealing({ ledger, ownLog, stability, clock, membership: { serves: true } });
  const put = (key: string) =>
    ledger.submit({
      keys: [{ namespace: namespaceA, key }],
      sync: true,
      bytes: 64,
      decide: (view): Decision<undefined> => {
        const append = ownLog.append(view);
        append.write({ ...live({ key, sequence: 1 }), ...append.next() });
        return { ...append.decided(), result: undefined };
      },
    });
  return { ledger, ownLog, sealing, put };
}

it('an opening that ends before its seals are committed makes no log void that it wrote in (R22)', async () => {
  const disk = new MemoryDisk();
  const before = await opened(disk, 1);
  await before.put('k');
  const { ledger, ownLog, sealing, put } = await opened(disk, 2);
  await put('l');
  const { logs } = ledger.registry;
  const log = ownLog.id;
  // A write fails, and the seals stand in line behind it.
  const commit = ledger.store.commit.bind(ledger.store);
  let looked: Promise<void> | undefined;
  ledger.store.commit = (batch) => {
    if (looked === undefined) {
      disk.nextCommitFails = 'lost';
      looked = sealing.look();
    }
    return commit(batch);
  };
  await expect(put('m')).rejects.toMatchObject({ details: { reason: 'store-failed' } });
  await looked;
  expect(ownLog.id, 'what failed began a new log').not.toBe(log);
  expect(logs.isVoid(log, ledger.state.covered), 'what it wrote there is told to all, and counts').toBe(false);
  await put('n');
  for (let looks = 0; looks < 3; looks++) await sealing.look();
  expect(logs.of(member(1)).map(({ seal }) => seal !== undefined)).toEqual([true, true, false]);
  expect(logs.current(member(1))).toBe(ownLog.id);
});

it('a look at the seals of a hundred openings looks at each log a few times: it is taken for each step of a peer', async () => {
  const { ledger, ownLog, sealing, put } = await opened(new MemoryDisk(), 1);
  const openings = 100;
  for (let n = 0; n < openings; n++) {
    if (n > 0) ownLog.begin();
    await put('k');
    await sealing.look();
  }
  expect(sealing.isComplete).toBe(true);
  const looked = vi.spyOn(ledger.registry.logs, 'get');
  await sealing.look();
  expect(looked.mock.calls.length).toBeLessThan(5 * openings);
});
