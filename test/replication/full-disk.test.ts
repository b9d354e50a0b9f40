import { beforeEach, describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { Record } from '../../src/model/record.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { OwnLog } from '../../src/origin/own-log.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { live, namespaceA, tombstone } from '../contract/sample-records.ts';
import { MemoryDisk, type MemoryStore } from '../support/memory-store.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { member } from './registry-records.ts';

let disk: MemoryDisk;
let store: MemoryStore;
let ledger: Ledger;
let ownLog: OwnLog;
let time: VirtualTime;

beforeEach(async () => {
  disk = new MemoryDisk();
  store = disk.open();
  time = new VirtualTime();
  const clock: Clock = {
    wallMs: () => systemClock.wallMs(),
    monotonicMs: () => time.nowMs,
    timer: (delayMs, run) => time.at(delayMs, run),
  };
  ledger = await Ledger.open({ ...originDefaults, store, clock, observer });
  ownLog = new OwnLog({ member: member(1), logs: ledger.registry.logs, random: new SeededRandom(1), clock });
  ledger.registry.logs.self = { member: member(1), log: () => ownLog.id };
  ledger.onReopened = () => ownLog.begin();
});

function write(key: string, kind: 'live' | 'tombstone' = 'live'): Promise<Record> {
  return ledger.submit({
    keys: [{ namespace: namespaceA, key }],
    sync: true,
    bytes: 64,
    decide: (view) => {
      const append = ownLog.append(view);
      const sample = { key, sequence: 1 };
      const record = { ...(kind === 'live' ? live(sample) : tombstone(sample)), ...append.next() };
      append.write(record);
      return { ...append.decided(), result: record };
    },
  });
}

const reasonOf = (error: MeridianError) => error.details.reason;
const held = async (key: string) => (await store.read({ namespace: namespaceA, key }))?.kind;

describe('a ledger whose disk is full', () => {
  it('refuses values, and neither opens the store again nor puts its followers back into a scan', async () => {
    await write('a');
    const { end } = ledger.ring;
    disk.full = true;
    expect(await write('b').catch(reasonOf)).toBe('disk-full');
    expect([ledger.reopenings, ledger.ring.has(end - 1), ledger.ring.end]).toEqual([0, true, end]);
    expect([await held('a'), await held('b')]).toEqual(['live', undefined]);
    disk.full = false;
    await write('b');
    expect(await held('b')).toBe('live');
  });

  it('takes the deletions that came together with values', async () => {
    for (const key of ['a', 'b']) await write(key);
    disk.full = true;
    const refused = expect(write('c')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await Promise.all([write('a', 'tombstone'), refused, write('b', 'tombstone'), write('d').catch(() => {})]);
    expect([await held('a'), await held('b'), await held('c')]).toEqual(['tombstone', 'tombstone', undefined]);
    expect(ledger.reopenings).toBe(0);
  });

  it('registers its log with the first write that is taken, of which a deletion may be the one', async () => {
    disk.full = true;
    expect(await write('a').catch(reasonOf)).toBe('disk-full');
    expect(ledger.registry.logs.get(ownLog.id)).toBeUndefined();
    const { position } = await write('b', 'tombstone');
    expect(ledger.registry.logs.get(ownLog.id)?.member).toBe(member(1));
    expect(ledger.state.covered).toEqual(new Map([[ownLog.id, position.sequence]]));
  });

  it('goes on to show what it holds where there is no room to open the store again, and tries that at each write', async () => {
    await write('a');
    const reopen = store.reopen.bind(store);
    store.reopen = async () => {
      throw new MeridianError('RESOURCE_EXHAUSTED', 'no room', { reason: 'disk-full' });
    };
    disk.nextCommitFails = 'lost';
    expect(await write('b').catch(reasonOf)).toBe('store-failed');
    const { snapshot } = ledger.instant();
    expect(await snapshot.read({ namespace: namespaceA, key: 'a' })).toMatchObject({ kind: 'live' });
    await snapshot.close();
    expect(await write('c').catch(reasonOf)).toBe('disk-full');
    store.reopen = reopen;
    await write('d');
    expect([await held('a'), await held('c'), await held('d')]).toEqual(['live', undefined, 'live']);
  });

  it('opens the store again by itself once there is room, though nobody writes, however long that takes', async () => {
    await write('a');
    const reopen = store.reopen.bind(store);
    let tries = 0;
    store.reopen = async () => {
      if (++tries > 3) return reopen();
      throw new MeridianError('RESOURCE_EXHAUSTED', 'no room', { reason: 'disk-full' });
    };
    disk.nextCommitFails = 'lost';
    await write('b').catch(reasonOf);
    while (tries < 4 && time.nowMs < 60_000) await time.runUntil(time.nowMs + 1000);
    expect([tries, ledger.inDoubt, await held('a')]).toEqual([4, false, 'live']);
  });

  it('opens the store again by itself also where reads had no room in line the first times', async () => {
    await write('a');
    const reopen = store.reopen.bind(store);
    let tries = 0;
    store.reopen = async () => {
      if (++tries > 3) return reopen();
      throw new MeridianError('RESOURCE_EXHAUSTED', 'all in use', { reason: 'store-busy' });
    };
    disk.nextCommitFails = 'lost';
    await write('b').catch(reasonOf);
    while (tries < 4 && time.nowMs < 60_000) await time.runUntil(time.nowMs + 1000);
    expect([tries, ledger.inDoubt, await held('a')]).toEqual([4, false, 'live']);
  });

  it('shows nothing where the store could not be opened again for another reason', async () => {
    await write('a');
    store.reopen = async () => {
      throw new MeridianError('INTERNAL', 'broken', { reason: 'store-failed' });
    };
    disk.nextCommitFails = 'lost';
    await write('b').catch(reasonOf);
    expect(() => ledger.instant()).toThrow(/being opened again/);
  });
});
