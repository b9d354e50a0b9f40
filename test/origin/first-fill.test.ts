import { beforeEach, expect, it } from 'vitest';
import { FirstFill } from '../../src/origin/first-fill.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { live } from '../contract/sample-records.ts';
import { log, vector } from '../replication/registry-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { VirtualClock, VirtualTime } from '../support/virtual-time.ts';

const elsewhere = { code: 'UNAVAILABLE', details: { reason: 'filled-elsewhere' } };

let time: VirtualTime;
let ledger: Ledger;
let fill: FirstFill;
let inVain: string[];
let filled: number;

function started(): FirstFill {
  return new FirstFill({
    ledger,
    clock: new VirtualClock(time),
    begunInVain: (why) => inVain.push(why),
    filled: () => filled++,
  });
}

/** Something of the scan from this address is stored. */
async function take(address: string): Promise<void> {
  fill.check(address);
  fill.taken(address);
  const puts = [live({ key: 'k', sequence: 1, log: log(1) })];
  await ledger.submit({ keys: puts, sync: true, bytes: 1, decide: () => ({ puts, result: undefined }) });
}

beforeEach(async () => {
  time = new VirtualTime();
  ledger = await Ledger.open({
    ...originDefaults,
    store: new MemoryDisk().open(),
    clock: new VirtualClock(time),
    observer,
  });
  [inVain, filled] = [[], 0];
  fill = started();
});

it('takes the scan of one peer alone, until all of it was shown', async () => {
  await fill.begin('a', false);
  await take('a');
  await expect(fill.begin('b', false)).rejects.toMatchObject(elsewhere);
  fill.left('b');
  await take('a');
  await ledger.submit({
    keys: [],
    sync: true,
    bytes: 0,
    decide: () => ({ state: { covered: vector({ 1: 1 }) }, result: undefined }),
  });
  fill.done();
  expect(filled).toBe(1);
  // What began from nothing may not end here: it is asked for again from what is covered now.
  await expect(fill.begin('b', false)).rejects.toMatchObject(elsewhere);
  await take('a');
  expect(inVain).toEqual([]);
});

it('lets another peer begin where the first one gave nothing', async () => {
  await fill.begin('a', false);
  fill.left('a');
  await fill.begin('b', false);
  await take('b');
  await expect(fill.begin('a', false)).rejects.toMatchObject(elsewhere);
});

it('waits for a peer that went away in the midst of its scan, and begins anew where that stays away', async () => {
  await fill.begin('a', false);
  await take('a');
  fill.left('a');
  await expect(fill.begin('b', false)).rejects.toMatchObject(elsewhere);
  expect(inVain).toEqual([]);
  await time.runUntil(time.nowMs + 1000);
  await fill.begin('a', true);
  await take('a');
  fill.left('a');
  await time.runUntil(time.nowMs + 3000);
  await expect(fill.begin('b', false)).rejects.toMatchObject(elsewhere);
  expect(inVain).toEqual(['a filled this member in part, and is away']);
});

it('knows after a restart that something was taken, and lets the peer go on whose scan it was', async () => {
  await fill.begin('a', false);
  await take('a');
  fill = started();
  await expect(fill.begin('b', false)).rejects.toMatchObject(elsewhere);
  await fill.begin('a', true);
  await take('a');
  expect(inVain).toEqual([]);
  fill = started();
  await time.runUntil(time.nowMs + 3000);
  await expect(fill.begin('b', false)).rejects.toMatchObject(elsewhere);
  expect(inVain).toHaveLength(1);
});
