import { describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { CaughtUp, Change, Changes, Resync } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { Record } from '../../src/model/record.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { type MemberReplica, Replica } from '../../src/replication/following/replica.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { registryKeys } from '../../src/replication/registry.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { live, namespaceA, stampAt, tombstone } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import {
  current,
  log,
  member,
  namespaceRecord,
  registered,
  registeredMember,
  sealed,
  vector,
} from './registry-records.ts';

/** A write of the key at a position; its stamp is of another sequence where that is told. */
function write(key: string, n: number, sequence: number, stamp = sequence): Record {
  return live({ key, sequence, log: log(n), stamp: stampAt(stamp, log(n)) });
}

function changes(records: readonly Change[], step?: VersionVector): Changes {
  return { kind: 'changes', records, ...(step === undefined ? {} : { step: { vector: step, stable: vector({}) } }) };
}

function caughtUp(covered: VersionVector, floor: VersionVector = vector({})): CaughtUp {
  return { kind: 'caught-up', vector: covered, floor, stable: vector({}) };
}

const resync: Resync = { kind: 'resync', reason: 'below-floor' };

interface Opened {
  readonly replica: Replica;
  readonly ledger: Ledger;
  /** The position that is held of a key. */
  held(key: string): Promise<Record['position'] | undefined>;
  reopened(): Promise<Opened>;
}

async function open(peer?: Partial<MemberReplica>, disk = new MemoryDisk()): Promise<Opened> {
  const store = disk.open();
  const [clock, observer] = [systemClock, silentReplicationObserver];
  const ledger = await Ledger.open({ ...originDefaults, store, clock, observer });
  if (peer !== undefined) ledger.registry.logs.self = { member: member(9), log: () => log(9) };
  const nothing = { mayTake: () => {}, check: () => {}, overwritten: () => {}, told: () => {} };
  const replica = await Replica.open({
    ledger,
    clock,
    observer,
    scope: 'copy',
    filter: everything,
    ...(peer === undefined ? {} : { member: { ...nothing, ...peer } }),
  });
  await replica.start();
  return {
    replica,
    ledger,
    held: async (key) => (await store.read({ namespace: namespaceA, key }))?.position,
    reopened: async () => {
      await ledger.close();
      await store.close();
      return open(peer, disk);
    },
  };
}

describe('a copy', () => {
  it('covers nothing before it has caught up, however much a scan showed it, and counts that as progress (R4)', async () => {
    const { replica, ledger } = await open();
    await replica.apply({ ...changes([write('k', 1, 5)]), token: 'half' });
    expect([ledger.state.covered.size, replica.durable().size]).toEqual([0, 0]);
    expect(await replica.start()).toEqual({ kind: 'partial', token: 'half' });
    await replica.apply(caughtUp(vector({ 1: 5 }), vector({ 1: 2 })));
    expect([ledger.state.covered, replica.durable(), ledger.state.floor]).toEqual([
      vector({ 1: 5 }),
      vector({ 1: 5 }),
      vector({ 1: 2 }),
    ]);
    expect(await replica.start()).toEqual({ kind: 'cursor', cursor: vector({ 1: 5 }) });
  });

  it('loses none of its progress where it is told nothing, or what a scan says of logs, before the stream breaks off', async () => {
    const { replica } = await open();
    await replica.apply(caughtUp(vector({ 1: 5 })));
    await replica.apply({ ...changes([write('k', 1, 7)]), token: 'half' });
    const half = { kind: 'cursor', cursor: vector({ 1: 5 }), token: 'half' };
    await replica.apply(changes([]));
    expect(await replica.start()).toEqual(half);
    await replica.apply(changes([registered(1, 6)]));
    expect(await replica.start()).toEqual(half);
    await replica.apply(changes([write('l', 1, 8)], vector({ 1: 8 })));
    expect(await replica.start()).toEqual({ kind: 'cursor', cursor: vector({ 1: 8 }) });
  });

  it('drops a change at a position that it covers and holds nothing of: it was purged here (R20)', async () => {
    const { replica, held } = await open();
    await replica.apply(caughtUp(vector({ 1: 5 })));
    await replica.apply(changes([write('old', 1, 4), write('new', 1, 6)], vector({ 1: 6 })));
    expect([await held('old'), await held('new')]).toEqual([undefined, { log: log(1), sequence: 6 }]);
  });

  it('takes the deletion of a namespace again that it covers and has purged: data may have come since (R18)', async () => {
    const { replica, ledger } = await open();
    await replica.apply(changes([registered(1, 1)]));
    await replica.apply(caughtUp(vector({ 1: 5 })));
    const key = registryKeys.namespace(namespaceA);
    await replica.apply(changes([{ ...tombstone({ key, sequence: 4, log: log(1) }), namespace: registryNamespace }]));
    expect(ledger.registry.isDead(namespaceA)).toBe(true);
    expect((await ledger.store.read({ namespace: registryNamespace, key }))?.kind).toBe('tombstone');
  });

  it('covers a sealed log by its seal: what is purged of it is dropped, and the cursor names each log', async () => {
    const { replica, ledger, held } = await open();
    await replica.apply(changes([sealed(1, 1, 5, [2, 2]), registered(2, 1)]));
    await replica.apply(caughtUp(vector({ 2: 3 })));
    await replica.apply(changes([write('old', 1, 4)]));
    expect(await held('old')).toBe(undefined);
    expect(await replica.start()).toEqual({ kind: 'cursor', cursor: vector({ 1: 5, 2: 3 }) });
    await replica.apply(changes([], vector({ 1: 5, 2: 4 })));
    expect(ledger.state.covered, 'folded').toEqual(vector({ 2: 4 }));
  });
});

it('of the same write a member takes the position that counts in the place of one beyond a seal (R23)', async () => {
  const { replica, held } = await open({});
  await replica.apply(changes([registered(1, 1), write('k', 1, 7), write('l', 1, 4)], vector({ 1: 7 })));
  await replica.apply(changes([registered(2, 2), sealed(1, 1, 5, [2, 2])], vector({ 2: 2 })));
  const again = (key: string, sequence: number) => write(key, 2, sequence, key === 'k' ? 7 : 4);
  const stampOf = (key: string, sequence: number) => ({
    ...again(key, sequence),
    stamp: stampAt(key === 'k' ? 7 : 4, log(1)),
  });
  await replica.apply(changes([stampOf('k', 3), stampOf('l', 4)], vector({ 2: 4 })));
  expect(await held('k')).toEqual({ log: log(2), sequence: 3 });
  expect(await held('l'), 'its position counts as well').toEqual({ log: log(1), sequence: 4 });
  await replica.apply(changes([write('k', 1, 7)]));
  expect(await held('k'), 'nor back').toEqual({ log: log(2), sequence: 3 });
});

it('of the same write a copy takes the new position in the place of one in a log that nobody knows any more', async () => {
  const { replica, held } = await open();
  const lost = write('k', 1, 5);
  await replica.apply(resync);
  await replica.apply({ ...changes([registered(2, 1), lost]), range: {} });
  await replica.apply(caughtUp(vector({ 2: 2 })));
  // The upstream held it likewise, and writes it again.
  expect([await replica.holdsVoid(), await replica.holdsLost()]).toEqual([false, false]);
  const again = { ...lost, position: { log: log(2), sequence: 3 } };
  await replica.apply(changes([again], vector({ 2: 3 })));
  expect(await held('k')).toEqual(again.position);
});

describe('a copy that resyncs (R7)', () => {
  it('takes what is shown in place of what it holds, whatever the stamps, and what is not shown goes', async () => {
    const { replica, held } = await open();
    await replica.apply(changes([write('kept', 1, 7), write('gone', 1, 8), write('live', 1, 9)]));
    await replica.apply(caughtUp(vector({ 1: 9 })));
    await replica.apply(resync);
    const shown = [write('kept', 2, 3, 1), write('live', 2, 4, 2)];
    await replica.apply({ ...changes(shown), range: {} });
    await replica.apply(caughtUp(vector({ 2: 4 })));
    expect([await held('kept'), await held('live'), await held('gone')]).toEqual([
      { log: log(2), sequence: 3 },
      { log: log(2), sequence: 4 },
      undefined,
    ]);
  });

  it('leaves what lies behind the range that was shown until that is shown', async () => {
    const { replica, held } = await open();
    await replica.apply(changes([write('a', 1, 1), write('m', 1, 2), write('z', 1, 3)]));
    await replica.apply(caughtUp(vector({ 1: 3 })));
    await replica.apply(resync);
    const through = { namespace: namespaceA, key: 'm' };
    await replica.apply({ ...changes([write('b', 2, 1)]), range: { through } });
    expect([await held('a'), await held('m')]).toEqual([undefined, undefined]);
    expect(await held('z')).toEqual({ log: log(1), sequence: 3 });
    await replica.apply({ ...changes([]), range: { after: through } });
    expect(await held('z')).toBe(undefined);
  });

  it('covers nothing from its start, and then no less than the server as floor: nobody knows what was purged before', async () => {
    const { replica, ledger } = await open();
    await replica.apply(caughtUp(vector({ 1: 9 })));
    await replica.apply(resync);
    expect([ledger.state.covered.size, replica.hasCaughtUp, replica.durable().size]).toEqual([0, false, 0]);
    await replica.apply(caughtUp(vector({ 1: 4 }), vector({ 1: 1 })));
    expect([ledger.state.covered, ledger.state.floor]).toEqual([vector({ 1: 4 }), vector({ 1: 4 })]);
  });

  it('forgets the floor of before: it may name logs that went with a disk, below which everybody would be for ever', async () => {
    const { replica, ledger } = await open();
    await replica.apply(caughtUp(vector({ 1: 9 }), vector({ 1: 7 })));
    await replica.apply(resync);
    await replica.apply(caughtUp(vector({ 2: 4 }), vector({ 2: 1 })));
    expect(ledger.state.floor).toEqual(vector({ 2: 4 }));
  });

  it('begins anew where that broke off before anything was shown, and goes on behind a token, also after a restart', async () => {
    const first = await open();
    await first.replica.apply(caughtUp(vector({ 1: 9 })));
    await first.replica.apply(resync);
    const second = await first.reopened();
    expect(await second.replica.start()).toEqual({ kind: 'resync' });
    await second.replica.apply(resync);
    await second.replica.apply({
      ...changes([]),
      token: 'half',
      range: { through: { namespace: namespaceA, key: 'm' } },
    });
    const third = await second.reopened();
    expect(await third.replica.start()).toEqual({ kind: 'partial', token: 'half' });
  });

  it('begins anew where that broke off before the registry was shown whole: what is left of the old one judges nothing', async () => {
    const first = await open();
    await first.replica.apply(changes([registered(1, 1), registered(2, 1), sealed(1, 1, 5, [2, 2])]));
    await first.replica.apply(caughtUp(vector({ 2: 2 })));
    await first.replica.apply(resync);
    // The seal was lost with a disk, and what lies beyond it counts.
    const through = { namespace: registryNamespace, key: 'a' };
    await first.replica.apply({ ...changes([]), token: 'first page', range: { through } });
    const second = await first.reopened();
    expect(await second.replica.start()).toEqual({ kind: 'resync' });
    await second.replica.apply(resync);
    await second.replica.apply({ ...changes([registered(1, 1), write('k', 1, 7)]), token: 'rest', range: {} });
    expect(await second.held('k')).toEqual({ log: log(1), sequence: 7 });
  });

  it('takes a namespace that is not shown for unknown, not for dead: its records may come again', async () => {
    const { replica, ledger, held } = await open();
    await replica.apply(changes([namespaceRecord(namespaceA, 'ns', 1, [1, 1])]));
    await replica.apply(caughtUp(vector({ 1: 1 })));
    await replica.apply(resync);
    await replica.apply({ ...changes([]), range: {} });
    await replica.apply(caughtUp(vector({ 2: 1 })));
    expect([ledger.registry.resolve('ns'), ledger.registry.isDead(namespaceA)]).toEqual([undefined, false]);
    await replica.apply(changes([namespaceRecord(namespaceA, 'ns', 1, [2, 2]), write('k', 2, 3)], vector({ 2: 3 })));
    expect(await held('k')).toEqual({ log: log(2), sequence: 3 });
  });

  it('forgets the deletion of a namespace that the server knows as living: a disk was put back (R18)', async () => {
    const { replica, ledger, held } = await open();
    const made = namespaceRecord(namespaceA, 'ns', 1, [1, 1]);
    await replica.apply(changes([{ ...tombstone({ key: made.key, sequence: 2 }), namespace: registryNamespace }]));
    await replica.apply(caughtUp(vector({ 1: 2 })));
    expect(ledger.registry.isDead(namespaceA)).toBe(true);
    await replica.apply(resync);
    await replica.apply({ ...changes([made, write('k', 2, 1)]), range: {} });
    expect(ledger.registry.isDead(namespaceA)).toBe(false);
    expect(await held('k')).toEqual({ log: log(2), sequence: 1 });
  });
});

describe('a copy that hears where a log ends (R23)', () => {
  const seal = sealed(1, 1, 5, [2, 2]);

  it('is void where it covers more of it', async () => {
    const { replica } = await open();
    await replica.apply(caughtUp(vector({ 1: 6 })));
    expect(await replica.holdsVoid()).toBe(false);
    await replica.apply(changes([seal]));
    expect(await replica.holdsVoid()).toBe(true);
  });

  it('is void where it holds a record beyond the end that it never covered', async () => {
    const { replica } = await open();
    await replica.apply(caughtUp(vector({ 1: 3 })));
    await replica.apply(changes([write('k', 1, 6)]));
    await replica.apply(changes([registered(2, 1), seal], vector({ 1: 5, 2: 2 })));
    expect(await replica.holdsVoid()).toBe(true);
  });

  it('is not void where it covers and holds no more than counts', async () => {
    const { replica } = await open();
    await replica.apply(caughtUp(vector({ 1: 5 })));
    await replica.apply(changes([write('k', 1, 5), registered(2, 1), seal], vector({ 1: 5, 2: 2 })));
    expect(await replica.holdsVoid()).toBe(false);
  });

  it('is void where it holds anything of a log that no member ever saw, once it covers what says so', async () => {
    const { replica } = await open();
    await replica.apply(changes([registered(1, 1)]));
    await replica.apply(caughtUp(vector({ 1: 1 })));
    await replica.apply(changes([write('k', 1, 3), registered(2, 1), current(1, 2, [2, 2])]));
    expect(await replica.holdsVoid(), 'not covered yet').toBe(false);
    await replica.apply(changes([], vector({ 2: 2 })));
    expect(await replica.holdsVoid()).toBe(true);
  });

  it.each(['of a log that is void', 'of a log that its upstream lost'])(
    'is void still where the disk failed as it was to begin anew, %s',
    async (what) => {
      const disk = new MemoryDisk();
      const { replica } = await open(undefined, disk);
      const isLost = what.endsWith('lost');
      await replica.apply(changes([write('k', 1, 3), ...(isLost ? [] : [registered(1, 1)])]));
      await replica.apply(changes([registered(2, 1), current(1, 2, [2, 2])]));
      await replica.apply(caughtUp(vector({ 2: 2 })));
      const isVoid = () => (isLost ? replica.holdsLost() : replica.holdsVoid());
      expect(await isVoid()).toBe(true);
      disk.nextCommitFails = 'lost';
      await expect(replica.becomeVoid()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await replica.start();
      await replica.apply(caughtUp(vector({ 2: 2 })));
      expect(await isVoid()).toBe(true);
      await replica.becomeVoid();
      await replica.apply(resync);
      await replica.apply(changes([write('k', 1, 3), ...(isLost ? [] : [registered(1, 1)])]));
      await replica.apply(changes([registered(2, 1), current(1, 2, [2, 2])]));
      await replica.apply(caughtUp(vector({ 2: 2 })));
      expect(await isVoid(), 'its upstream holds it likewise').toBe(false);
    },
  );

  it('is void again at the upstream that said so, where it took everything anew from one that had yet to hear of it', async () => {
    const { replica } = await open();
    const ofVoid = [write('k', 1, 3), registered(1, 1)];
    const verdict = [registered(2, 1), current(1, 2, [2, 2])];
    replica.opened('M');
    await replica.apply(changes([...ofVoid, ...verdict]));
    await replica.apply(caughtUp(vector({ 2: 2 })));
    expect(await replica.holdsVoid()).toBe(true);
    await replica.becomeVoid();
    replica.opened('G');
    await replica.apply(resync);
    await replica.apply({ ...changes([...verdict, ...ofVoid]), range: {} });
    await replica.apply(caughtUp(vector({ 1: 3 })));
    expect(await replica.holdsVoid(), 'what says so is not covered').toBe(false);
    replica.opened('M');
    await replica.apply(caughtUp(vector({ 2: 2 })));
    expect(await replica.holdsVoid()).toBe(true);
  });

  it('begins its next stream with a resync, also after a restart', async () => {
    const first = await open();
    await first.replica.apply(caughtUp(vector({ 1: 6 })));
    await first.replica.becomeVoid();
    expect([first.replica.hasCaughtUp, first.ledger.state.covered.size]).toEqual([false, 0]);
    expect(await (await first.reopened()).replica.start()).toEqual({ kind: 'resync' });
  });

  it.each([
    ['claims more of it', changes([], vector({ 1: 6, 2: 2 }))],
    ['claims more of it at the end of a scan', caughtUp(vector({ 1: 6, 2: 2 }))],
    ['sends a record beyond the end', changes([write('late', 1, 6)])],
  ])('hangs up on a server that %s, and takes nothing of that', async (_, event) => {
    const { replica, ledger, held } = await open();
    await replica.apply(changes([seal, registered(2, 1)]));
    await replica.apply(caughtUp(vector({ 1: 5, 2: 2 })));
    await expect(replica.apply(event)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'seal-unheard' },
    });
    expect(ledger.state.covered).toEqual(vector({ 2: 2 }));
    expect(await held('late')).toBe(undefined);
    expect(await replica.holdsVoid()).toBe(false);
  });
});

it('an edge goes on where what says that a log ended was lost with a disk, be it ended itself, and begins anew (R23)', async () => {
  const { replica } = await open();
  const ends = [sealed(1, 1, 5, [2, 2]), sealed(2, 1, 3, [3, 2])];
  await replica.apply(changes([registered(1, 1), registered(2, 1), registered(3, 1), ...ends, current(1, 3, [3, 3])]));
  await replica.apply(caughtUp(vector({ 1: 5, 2: 3, 3: 3 })));
  // Put back to before logs 2 and 3, the member sealed log 1 again, in log 4; first of all it tells what it knows of logs.
  const said = [sealed(0, 1, 3, [1, 7]), sealed(1, 1, 9, [4, 2]), registered(4, 1), current(1, 4, [4, 3])];
  await replica.apply(changes(said));
  await replica.apply(changes([write('k', 1, 8)]));
  await replica.apply(caughtUp(vector({ 1: 9, 4: 3 })));
  expect(await replica.holdsVoid()).toBe(true);
});

describe('a member that follows another', () => {
  it('has begun no scan while it is told nothing: it waits for its turn, and may ask another peer', async () => {
    let taken = 0;
    const { replica } = await open({ mayTake: () => taken++ });
    await replica.apply(changes([]));
    expect([await replica.start(), taken]).toEqual([{ kind: 'nothing' }, 0]);
  });

  it('takes what lies beyond a seal, and lowers what it is told to cover (R23)', async () => {
    const { replica, ledger, held } = await open({});
    await replica.apply(changes([sealed(1, 1, 5, [2, 2]), registered(2, 1), registeredMember(1, [2, 3])]));
    await replica.apply(caughtUp(vector({ 1: 9, 2: 3 })));
    await replica.apply(changes([write('late', 1, 10)], vector({ 1: 10, 2: 3 })));
    expect(await held('late')).toEqual({ log: log(1), sequence: 10 });
    expect(ledger.state.covered).toEqual(vector({ 2: 3 }));
    expect(ledger.registry.logs.reach(ledger.state.covered, log(1))).toBe(5);
  });

  it('lowers what it covers in the batch that brings the seal', async () => {
    const { replica, ledger } = await open({});
    await replica.apply(caughtUp(vector({ 1: 9 })));
    await replica.apply(changes([sealed(1, 1, 5, [2, 2]), registered(2, 1)], vector({ 2: 2 })));
    expect(ledger.state.covered).toEqual(vector({ 2: 2 }));
  });

  it('is told what the other one covers once the step is on disk, not before (R19)', async () => {
    const told: unknown[] = [];
    const { replica, ledger } = await open({
      told: (covered, kind) => told.push([kind, covered, ledgerCovers()]),
    });
    const ledgerCovers = () => ledger.state.covered;
    await replica.apply(caughtUp(vector({ 1: 5 })));
    await replica.apply(changes([write('k', 1, 6)], vector({ 1: 6 })));
    expect(told).toEqual([
      ['caught-up', vector({ 1: 5 }), vector({ 1: 5 })],
      ['step', vector({ 1: 6 }), vector({ 1: 6 })],
    ]);
  });

  it('takes nothing where it may not when that is about to be committed, and is told nothing by it (R22)', async () => {
    const told: unknown[] = [];
    let superseded = false;
    const { replica, ledger, held } = await open({
      told: (covered) => told.push(covered),
      mayTake: () => {
        if (superseded) throw new MeridianError('UNAVAILABLE', 'a later opening is known', { reason: 'superseded' });
      },
    });
    await replica.apply(caughtUp(vector({ 1: 5 })));
    superseded = true;
    const late = changes([write('late', 1, 6)], vector({ 1: 6 }));
    await expect(replica.apply(late)).rejects.toMatchObject({ details: { reason: 'superseded' } });
    expect([ledger.state.covered, await held('late'), told]).toEqual([vector({ 1: 5 }), undefined, [vector({ 1: 5 })]]);
  });

  it('goes on from all that it covers, of whomever it has that, with a component for each log', async () => {
    const { replica, ledger } = await open({});
    const records = [sealed(1, 1, 5, [2, 2]), registered(2, 1)];
    const decide = () => ({ puts: records, state: { covered: vector({ 2: 2 }) }, result: undefined });
    await ledger.submit({ keys: records, sync: true, bytes: 0, decide });
    expect(await replica.start()).toEqual({ kind: 'cursor', cursor: vector({ 1: 5, 2: 2 }) });
  });
});
