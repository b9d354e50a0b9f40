import { describe, expect, it } from 'vitest';
import type { MeridianError } from '../../src/model/errors.ts';
import type { Record } from '../../src/model/record.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { OwnLog } from '../../src/origin/own-log.ts';
import { type Decision, Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { live, namespaceA } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { type log, member, registered, sealed, vector } from './registry-records.ts';

async function opened(disk = new MemoryDisk()) {
  const ledger = await Ledger.open({ ...originDefaults, store: disk.open(), clock, observer });
  const ownLog = new OwnLog({ member: member(1), logs: ledger.registry.logs, random: new SeededRandom(1), clock });
  ledger.registry.logs.self = { member: member(1), log: () => ownLog.id };
  ledger.onReopened = () => ownLog.begin();
  const put = (key: string) =>
    ledger.submit({
      keys: [{ namespace: namespaceA, key }],
      sync: true,
      bytes: 64,
      decide: (view): Decision<Record['position']> => {
        const append = ownLog.append(view);
        const record = { ...live({ key, sequence: 1 }), ...append.next() };
        append.write(record);
        return { ...append.decided(), result: record.position };
      },
    });
  return { ledger, ownLog, disk, put };
}

const reasonOf = (error: MeridianError) => error.details.reason;

describe('a ledger whose commit failed (R2)', () => {
  it.each(['lost', 'kept'] as const)('goes on in a new log, whether the batch was %s or not', async (outcome) => {
    const { ledger, disk, put } = await opened();
    const first = await put('a');
    disk.nextCommitFails = outcome;
    expect(await put('b').catch(reasonOf)).toBe('store-failed');
    const after = await put('c');
    expect(after.log).not.toBe(first.log);
    // Its first record registers the new log, so the write is its second.
    expect(after.sequence).toBe(2);
    const held = await ledger.store.read({ namespace: namespaceA, key: 'b' });
    expect(held?.position).toEqual(outcome === 'kept' ? { log: first.log, sequence: first.sequence + 1 } : undefined);
    expect(ledger.state.covered.get(first.log)).toBe(outcome === 'kept' ? first.sequence + 1 : first.sequence);
    expect(ledger.registry.logs.newest(member(1))?.log).toBe(after.log);
  });

  it('gives no position twice in one log, of refused proposals neither', async () => {
    const { ledger, disk, put } = await opened();
    const positions = new Set<string>();
    for (let n = 0; n < 40; n++) {
      if (n % 7 === 3) disk.nextCommitFails = n % 2 === 0 ? 'lost' : 'kept';
      const at = await put(`k${n % 5}`).catch(() => undefined);
      if (at === undefined) continue;
      const name = `${at.log}:${at.sequence}`;
      expect(positions).not.toContain(name);
      positions.add(name);
    }
    expect(ledger.reopenings).toBeGreaterThan(3);
  });

  it('empties the ring, refuses a look meanwhile and tells how often the store was opened again', async () => {
    const { ledger, disk, put } = await opened();
    await put('a');
    const place = ledger.ring.end;
    disk.nextCommitFails = 'lost';
    await put('b').catch(() => {});
    await put('c');
    expect([ledger.ring.has(place), ledger.reopenings]).toEqual([false, 1]);
  });

  it('tells nothing until the store is open again, not even that a namespace is unknown', async () => {
    const { ledger, disk, put } = await opened();
    const reopen = ledger.store.reopen.bind(ledger.store);
    let goOn = () => {};
    ledger.store.reopen = () =>
      new Promise<void>((resolve) => {
        goOn = resolve;
      }).then(reopen);
    disk.nextCommitFails = 'kept';
    const failed = put('a').catch(reasonOf);
    expect(await failed).toBe('store-failed');
    expect(ledger.inDoubt).toBe(true);
    expect(await ledger.read({ namespace: namespaceA, key: 'a' }).catch(reasonOf)).toBe('store-failed');
    expect(() => ledger.registry.require('ns')).toThrow(/the store failed/);
    expect(() => ledger.instant()).toThrow(/the store failed/);
    goOn();
    await put('b');
    expect([ledger.inDoubt, (await ledger.read({ namespace: namespaceA, key: 'a' }))?.kind]).toEqual([false, 'live']);
    expect(() => ledger.registry.require('ns')).toThrow(/unknown namespace/);
  });

  it('refuses all of the failed commit, and takes what waits behind it', async () => {
    const { disk, put } = await opened();
    await put('a');
    disk.nextCommitFails = 'lost';
    const together = await Promise.allSettled([put('b'), put('c')]);
    expect(together.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await put('d')).sequence).toBe(2);
  });
});

describe('what a ledger covers', () => {
  it('is folded by what is known of logs, in the commit that brings the seal and when the store is opened', async () => {
    const { ledger, disk } = await opened();
    ledger.registry.logs.self = undefined;
    const commit = (covered: ReadonlyMap<ReturnType<typeof log>, number>, ...puts: Record[]) =>
      ledger.submit({
        keys: puts,
        sync: true,
        bytes: 0,
        decide: () => ({ puts, state: { covered }, result: undefined }),
      });
    await commit(vector({ 1: 5 }));
    await commit(vector({ 1: 5, 2: 2 }), registered(2, 1), sealed(1, 1, 5, [2, 2]));
    expect(ledger.state.covered).toEqual(vector({ 2: 2 }));
    await ledger.close();
    const again = await Ledger.open({ ...originDefaults, store: disk.open(), clock, observer });
    expect(again.state.covered).toEqual(vector({ 2: 2 }));
    expect(again.registry.logs.unfold(again.state.covered)).toEqual(vector({ 1: 5, 2: 2 }));
  });

  it('changes nothing where a proposal refuses itself, whatever others of the same commit do', async () => {
    const { ledger } = await opened();
    const refusing = ledger.submit({
      keys: [],
      sync: true,
      bytes: 0,
      decide: () => {
        throw new Error('refused');
      },
    });
    const raising = ledger.submit({
      keys: [],
      sync: true,
      bytes: 0,
      decide: () => ({ state: { covered: vector({ 1: 1 }) }, result: undefined }),
    });
    await expect(refusing).rejects.toThrow('refused');
    await raising;
    expect([ledger.state.covered, ledger.reopenings]).toEqual([vector({ 1: 1 }), 0]);
  });
});
