import { describe, expect, it } from 'vitest';
import type { CaughtUp, Changes, Opened } from '../../src/model/feed.ts';
import { FirstFill } from '../../src/origin/first-fill.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { PeerSink } from '../../src/origin/peer-sink.ts';
import { Stability } from '../../src/origin/stability.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { live, namespaceA, stampAt } from '../contract/sample-records.ts';
import {
  log,
  member,
  openedAt,
  registered,
  registeredMember,
  sealed,
  vector,
} from '../replication/registry-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';

/** Member 9, and its streams from others; each is of an opening of its peer, by its number. */
async function follower() {
  const ledger = await Ledger.open({ ...originDefaults, store: new MemoryDisk().open(), clock, observer });
  ledger.registry.logs.self = { member: member(9), log: () => log(9) };
  const stability = new Stability(ledger, member(9));
  const fill = new FirstFill({ ledger, clock, begunInVain: () => {}, filled: () => {} });
  let beyond = 0;
  const open = async (of: number, opening: number): Promise<PeerSink> => {
    const sink = await PeerSink.open({
      ledger,
      clock,
      observer,
      stability,
      fill,
      address: `peer ${of}`,
      clockSkewMsMax: Number.POSITIVE_INFINITY,
      meet: async () => {},
      mayTake: () => {},
      mayAcknowledge: () => true,
      tookBeyond: () => beyond++,
    });
    await sink.start();
    const opened: Opened = {
      kind: 'opened',
      node: { name: `${of}`, role: 'origin', id: member(of), region: 'r' },
      nonce: `${of}`,
      clusterId: 'c',
      generation: 'g',
      opening: { log: log(opening), opened: openedAt(opening) },
      wallMs: 0,
    };
    await sink.opened(opened);
    return sink;
  };
  const held = async (key: string) => (await ledger.store.read({ namespace: namespaceA, key }))?.position;
  return { ledger, stability, open, held, tookBeyond: () => beyond };
}

const write = (key: string, n: number, sequence: number) =>
  live({ key, sequence, log: log(n), stamp: stampAt(sequence, log(n)) });
const step = (records: Changes['records'], covered: ReturnType<typeof vector>): Changes => {
  return { kind: 'changes', records, step: { vector: covered, stable: vector({}) } };
};
const caughtUp = (covered: ReturnType<typeof vector>): CaughtUp => {
  return { kind: 'caught-up', vector: covered, floor: vector({}), stable: vector({}) };
};
const superseded = { code: 'UNAVAILABLE', details: { reason: 'opening-superseded' } };

it('a member takes nothing more of an opening once it has heard of a later one, from whomever (R22)', async () => {
  const { open, held, ledger, stability } = await follower();
  const older = await open(1, 1);
  await older.apply(step([registered(1, 1), registeredMember(1, [1, 2])], vector({ 1: 2 })));
  await older.apply(caughtUp(vector({ 1: 2 })));
  const other = await open(2, 2);
  await other.apply(step([registered(2, 2), registered(3, 1)], vector({ 2: 1, 3: 1 })));
  await expect(older.apply(step([write('late', 1, 3)], vector({ 1: 3 })))).rejects.toMatchObject(superseded);
  expect([await held('late'), ledger.state.covered.get(log(1)), stability.told(member(1))]).toEqual([
    undefined,
    2,
    vector({ 1: 2 }),
  ]);
  await expect(open(1, 1), 'nor does it follow it again').rejects.toMatchObject(superseded);
  const later = await open(1, 3);
  await later.apply(step([write('of the later', 3, 2)], vector({ 1: 2, 3: 2 })));
  expect(await held('of the later')).toEqual({ log: log(3), sequence: 2 });
});

it('a member is told what a peer covers by that peer’s own stream alone, behind all that it sent before', async () => {
  const { open, stability } = await follower();
  const sink = await open(1, 1);
  await sink.apply({ kind: 'changes', records: [registered(1, 1), write('k', 1, 2)], token: 't' });
  expect(stability.told(member(1))).toBe(undefined);
  await sink.apply(caughtUp(vector({ 1: 2, 2: 7 })));
  expect([stability.told(member(1)), stability.told(member(2))]).toEqual([vector({ 1: 2, 2: 7 }), undefined]);
});

it('a member takes what lies beyond a seal from a peer that has yet to hear of it, and notes that to write it again', async () => {
  const { open, held, ledger, tookBeyond } = await follower();
  const sink = await open(2, 2);
  await sink.apply(step([registered(2, 2), sealed(1, 1, 5, [2, 2])], vector({ 2: 2 })));
  await sink.apply(caughtUp(vector({ 2: 2 })));
  expect(tookBeyond()).toBe(0);
  await sink.apply(step([write('late', 1, 6)], vector({ 1: 6, 2: 3 })));
  expect([tookBeyond(), await held('late'), ledger.state.covered]).toEqual([
    1,
    { log: log(1), sequence: 6 },
    vector({ 2: 3 }),
  ]);
});

describe('a member that purges while it takes what a peer has (R8)', () => {
  const purged = { code: 'UNAVAILABLE', details: { reason: 'purged-since' } };
  const purge = (ledger: Ledger, floor: ReturnType<typeof vector>) =>
    ledger.submit({ keys: [], sync: false, bytes: 0, decide: () => ({ state: { floor }, result: undefined }) });

  it('takes nothing more where the peer may have lost what was purged, until it has asked it again', async () => {
    const { open, held, ledger } = await follower();
    await purge(ledger, vector({ 2: 5 }));
    const sink = await open(1, 1);
    await sink.apply({ kind: 'changes', records: [write('before', 1, 3)] });
    await purge(ledger, vector({ 2: 9 }));
    await expect(sink.apply({ kind: 'changes', records: [write('late', 1, 4)] })).rejects.toMatchObject(purged);
    await expect(sink.apply(step([write('late', 1, 4)], vector({ 1: 4, 2: 9 })))).rejects.toMatchObject(purged);
    expect([await held('before'), await held('late')]).toEqual([{ log: log(1), sequence: 3 }, undefined]);
    const again = await open(1, 1); // It was sent the floor of now, and has judged itself by it.
    await again.apply({ kind: 'changes', records: [write('late', 1, 4)] });
    expect(await held('late')).toEqual({ log: log(1), sequence: 4 });
  });

  it('goes on where the peer has told in this stream that it covers what was purged', async () => {
    const { open, held, ledger } = await follower();
    const sink = await open(1, 1);
    await sink.apply(step([registered(1, 1), registered(2, 2)], vector({ 1: 1, 2: 9 })));
    await purge(ledger, vector({ 2: 9 }));
    await sink.apply(step([write('k', 1, 4)], vector({ 1: 4, 2: 9 })));
    expect(await held('k')).toEqual({ log: log(1), sequence: 4 });
  });
});
