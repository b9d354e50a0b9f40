import { afterEach, describe, expect, it } from 'vitest';
import type { FollowOpen } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { BoundedQueue } from '../../src/runtime/bounded-queue.ts';
import { aCall, Chain, put } from '../edge/chain.ts';
import { FakeClock } from '../edge/fake-clock.ts';

const chain = new Chain();
let ending = new AbortController();
afterEach(async () => {
  ending.abort(new Error('the test is over'));
  await chain.close();
  ending = new AbortController();
});

const scanStallMs = 1000;

async function aStore(clock: FakeClock, keys: number): Promise<Origin> {
  const origin = await chain.origin('o', { clock, scansMax: 1, scanStallMs, scanRecordsMax: 1 });
  await origin.create('ns', { ...aCall(), deadlineMs: Number.POSITIVE_INFINITY });
  for (let i = 0; i < keys; i++) await put(origin, `k${i}`, 'v');
  return origin;
}

function follow(origin: Origin, role: FollowOpen['role']) {
  const open: FollowOpen = {
    protocol: 2,
    node: { name: role, role: 'edge', id: '2'.repeat(16), region: '' },
    nonce: role,
    role,
    filter: everything,
    values: { kind: 'all' },
    start: { kind: 'nothing' },
  };
  const events = origin.follow(open, new BoundedQueue(1), ending.signal)[Symbol.asyncIterator]();
  return { next: async () => (await events.next()).value };
}

function stateOf(origin: Origin, index: number): Promise<string | undefined> {
  return origin.status().then(({ followers }) => followers[index]?.state);
}

/** The kinds of events up to this one. */
async function until(follower: ReturnType<typeof follow>, kind: string): Promise<string[]> {
  const kinds: string[] = [];
  do kinds.push((await follower.next())?.kind ?? 'end');
  while (kinds.at(-1) !== kind && kinds.at(-1) !== 'end');
  return kinds;
}

describe('the permit of a scan', () => {
  it('is given back before its follower reads that it has caught up, however long that takes', async () => {
    const origin = await aStore(new FakeClock(), 2);
    const [slow, next] = [follow(origin, 'copy'), follow(origin, 'copy')];
    await until(slow, 'caught-up'); // And never reads on.
    expect((await until(next, 'caught-up')).at(-1)).toBe('caught-up');
  });

  it('of a watch keeps no edge waiting, nor that of an edge an origin', async () => {
    const origin = await aStore(new FakeClock(), 3);
    const watch = follow(origin, 'watch');
    await until(watch, 'changes');
    expect(await stateOf(origin, 0)).toBe('scanning');
    const copy = follow(origin, 'copy');
    expect((await until(copy, 'caught-up')).at(-1)).toBe('caught-up');
  });

  it('of a watch that reads slowly all the time is passed on, and the watch is told everything in the end', async () => {
    const clock = new FakeClock();
    const origin = await aStore(clock, 12);
    const [slow, waiting] = [follow(origin, 'watch'), follow(origin, 'watch')];
    const told = new Set<string>();
    let [slowIsDone, others] = [false, 'waits'];
    const readsOne = async () => {
      const event = await slow.next();
      if (event?.kind === 'changes') for (const { key } of event.records) told.add(key);
      slowIsDone = event?.kind === 'caught-up';
    };
    while (told.size === 0) await readsOne();
    const caughtUp = until(waiting, 'caught-up').then(() => {
      others = slowIsDone ? 'had to wait' : 'were served';
    });
    while (!slowIsDone) {
      clock.advance(scanStallMs / 4);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await readsOne();
    }
    await caughtUp;
    expect(others).toBe('were served');
    for (let i = 0; i < 12; i++) expect(told).toContain(`k${i}`);
  });
});
