import { describe, expect, it } from 'vitest';
import type { Changes } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import type { GetAnswer } from '../../src/model/key-value.ts';
import { expireInPlace, type Record } from '../../src/model/record.ts';
import { emptySession } from '../../src/model/session.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { Replica } from '../../src/replication/following/replica.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { Mending } from '../../src/replication/mending.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { removeRecords } from '../../src/replication/remove-records.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { live, namespaceA, stampAt, tombstone } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { HandClock } from './clocks/hand-clock.ts';
import { log, member, vector } from './registry-records.ts';

const asMember = { mayTake: () => {}, check: () => {}, overwritten: () => {}, told: () => {} };

/** A write of the key in log 1 or 2; stamps rise with `stamp`. */
function write(key: string, n: number, sequence: number, stamp = sequence): Record {
  return live({ key, sequence, log: log(n), stamp: stampAt(stamp, log(n)), value: `${key} ${n}:${sequence}` });
}

function changes(records: readonly Record[], step: VersionVector): Changes {
  return { kind: 'changes', records, step: { vector: step, stable: vector({}) } };
}

/** A node that covers {1: 5} and holds k at (1, 5), damaged, and `sound` at (1, 4). */
async function opened(role: 'copy' | 'member') {
  const disk = new MemoryDisk();
  const before = await over(disk, role);
  const records = [write('sound', 1, 4), write('k', 1, 5)];
  await before.replica.apply({ kind: 'changes', records });
  await before.replica.apply({
    kind: 'caught-up',
    vector: vector({ 1: 5 }),
    floor: vector({}),
    stable: vector({ 1: 5 }),
  });
  await before.ledger.close();
  await before.store.close();
  disk.damage({ namespace: namespaceA, key: 'k' });
  return over(disk, role);
}

async function over(disk: MemoryDisk, role: 'copy' | 'member') {
  const store = disk.open();
  const ledger = await Ledger.open({ ...originDefaults, store, clock, observer });
  if (role === 'member') ledger.registry.logs.self = { member: member(9), log: () => log(9) };
  const of = role === 'member' ? { member: asMember } : {};
  const replica = await Replica.open({ ledger, clock, observer, scope: 'copy', filter: everything, ...of });
  await replica.start();
  return { store, ledger, replica, held: (key: string) => store.read({ namespace: namespaceA, key }) };
}

describe.each(['copy', 'member'] as const)('what a feed brings of a damaged record of a %s', (role) => {
  it('heals it where it is that very write, although that is covered', async () => {
    const { replica, held, store } = await opened(role);
    await replica.apply(changes([write('k', 1, 5)], vector({ 1: 5 })));
    expect(await held('k')).toEqual(write('k', 1, 5));
    expect(store.condition().damagedRecords).toBe(0);
  });

  it('heals it where it is later than all that was ever seen here', async () => {
    const { replica, held } = await opened(role);
    await replica.apply(changes([write('k', 2, 1, 50)], vector({ 1: 5, 2: 1 })));
    expect(await held('k')).toEqual(write('k', 2, 1, 50));
  });

  it('heals it where the server merged it with that write', async () => {
    const { replica, held, store } = await opened(role);
    await replica.apply(changes([write('k', 2, 1, 3)], vector({ 1: 5, 2: 1 })));
    expect(await held('k')).toEqual(write('k', 2, 1, 3));
    expect(store.condition().damagedRecords).toBe(0);
  });

  it('does not take its place where it may be the earlier one: neither is it claimed', async () => {
    const { replica, held, ledger } = await opened(role);
    const perhapsEarlier = changes([write('k', 2, 1, 3)], vector({ 1: 4, 2: 1 }));
    await expect(replica.apply(perhapsEarlier)).rejects.toMatchObject({
      code: 'DATA_LOSS',
      details: { reason: 'damaged-record' },
    });
    await expect(held('k')).rejects.toMatchObject({ code: 'DATA_LOSS' });
    expect(ledger.state.covered).toEqual(vector({ 1: 5 }));
    expect([...ledger.awaited.values()].map(({ key }) => key)).toEqual(['k']);
  });
});

describe.each(['copy', 'member'] as const)('what a feed lost, to a %s', (role) => {
  const lose = (key: string, n: number, sequence: number, upTo: VersionVector): Changes => ({
    kind: 'changes',
    records: [],
    lost: { records: [{ namespace: namespaceA, key, position: { log: log(n), sequence } }], upTo },
  });
  const stays = { code: 'DATA_LOSS', details: { reason: 'damaged-record' } };

  it('is lost here too where nothing is held, and its followers are told', async () => {
    const { replica, held, ledger, store } = await opened(role);
    await replica.apply(lose('new', 2, 1, vector({ 1: 5, 2: 1 })));
    await expect(held('new')).rejects.toMatchObject({ code: 'DATA_LOSS' });
    expect(store.damaged()).toContainEqual({
      namespace: namespaceA,
      key: 'new',
      position: { log: log(2), sequence: 1 },
    });
    const { lost } = ledger.ring.at(ledger.ring.end - 1) ?? {};
    expect(lost).toEqual({ records: [expect.objectContaining({ key: 'new' })], upTo: vector({ 1: 5 }) });
  });

  it('is nothing to it where that is covered: the record was superseded and purged', async () => {
    const { replica, held } = await opened(role);
    await replica.apply(lose('new', 1, 3, vector({ 1: 5 })));
    expect(await held('new')).toBeUndefined();
  });

  it('is not lost here where that very record is held', async () => {
    const { replica, held } = await opened(role);
    await replica.apply(lose('sound', 1, 4, vector({ 1: 5, 2: 1 })));
    expect(await held('sound')).toEqual(write('sound', 1, 4));
  });

  it(`takes the place of an earlier record at a copy; a member keeps what it can read (${role})`, async () => {
    const { replica, held } = await opened(role);
    const applied = replica.apply(lose('sound', 2, 1, vector({ 1: 5, 2: 1 })));
    if (role === 'member') await expect(applied).rejects.toMatchObject(stays);
    else await applied;
    if (role === 'member') expect(await held('sound')).toEqual(write('sound', 1, 4));
    else await expect(held('sound')).rejects.toMatchObject({ code: 'DATA_LOSS' });
  });

  it.each(['sound', 'k'])('waits where what is held may be later (%s)', async (key) => {
    const { replica, ledger, store } = await opened(role);
    await expect(replica.apply(lose(key, 2, 1, vector({ 1: 3, 2: 1 })))).rejects.toMatchObject(stays);
    expect(ledger.state.covered).toEqual(vector({ 1: 5 }));
    expect(store.damaged().map(({ position }) => position)).toEqual([{ log: log(1), sequence: 5 }]);
  });

  it('is healed by what the server holds later', async () => {
    const { replica, held, store } = await opened(role);
    await replica.apply(lose('new', 2, 1, vector({ 1: 5, 2: 1 })));
    await replica.apply(changes([write('new', 2, 2, 3)], vector({ 1: 5, 2: 2 })));
    expect(await held('new')).toEqual(write('new', 2, 2, 3));
    expect(store.damaged().map(({ key }) => key)).toEqual(['k']);
  });
});

it('a resync keeps the very record that is lost, and takes away another', async () => {
  const { replica, held, store } = await opened('copy');
  await replica.apply({ kind: 'resync', reason: 'below-floor' });
  const records = [write('sound', 1, 4), write('k', 2, 7)].map(({ namespace, key, position }) => {
    return { namespace, key, position };
  });
  await replica.apply({ kind: 'changes', records: [], lost: { records, upTo: vector({ 2: 7 }) }, range: {} });
  expect(await held('sound')).toEqual(write('sound', 1, 4));
  expect(store.damaged()).toEqual([{ namespace: namespaceA, key: 'k', position: { log: log(2), sequence: 7 } }]);
});

it('a resync takes away a damaged record that it does not show', async () => {
  const { replica, held, store } = await opened('copy');
  await replica.apply({ kind: 'resync', reason: 'below-floor' });
  await replica.apply({ kind: 'changes', records: [write('sound', 1, 4)], range: {} });
  expect([await held('k'), store.condition().damagedRecords]).toEqual([undefined, 0]);
});

it('removing a range takes away what is damaged in it', async () => {
  const { ledger, store, held } = await opened('copy');
  expect(await removeRecords(ledger, { namespace: namespaceA }, { sync: true })).toBe(2);
  expect([await held('k'), await held('sound'), store.condition().damagedRecords]).toEqual([undefined, undefined, 0]);
});

describe('mending', () => {
  let settledMs: number | undefined;
  const settled = { look: () => settledMs };
  const answer = (covered: VersionVector, record: Record | undefined): GetAnswer => ({
    record,
    covered,
    namespace: namespaceA,
    source: 'origin',
    past: false,
    responder: 'other',
    session: emptySession,
  });

  async function mended(answers: readonly GetAnswer[]) {
    const node = await opened('member');
    const asked: string[] = [];
    const ask = async function* ({ key }: { readonly key: string }) {
      asked.push(key);
      yield* answers;
    };
    const mending = new Mending({ ledger: node.ledger, clock, observer, settled, clockHoldMs: 0, ask });
    const isDone = await mending.round(new AbortController().signal);
    return { ...node, asked, isDone };
  }

  it('takes what a node answers that covers the damaged write, and asks for nothing else', async () => {
    const { asked, isDone, held } = await mended([answer(vector({ 1: 5 }), write('k', 1, 5))]);
    expect([asked, isDone, await held('k')]).toEqual([['k'], true, write('k', 1, 5)]);
  });

  it('passes over the answer of a node that has not seen that write', async () => {
    const late = answer(vector({ 1: 4, 2: 7 }), write('k', 1, 2));
    const { isDone, held } = await mended([late]);
    expect(isDone).toBe(false);
    await expect(held('k')).rejects.toMatchObject({ code: 'DATA_LOSS' });
    const second = await mended([late, answer(vector({ 1: 6 }), write('k', 1, 5))]);
    expect([second.isDone, await second.held('k')]).toEqual([true, write('k', 1, 5)]);
  });

  it('shows its followers what it mended', async () => {
    const { ledger } = await mended([answer(vector({ 1: 5 }), write('k', 1, 5))]);
    const { records } = ledger.ring.at(ledger.ring.end - 1) ?? {};
    expect(records).toEqual([write('k', 1, 5)]);
  });

  it('takes away what is deleted and purged elsewhere, and raises the floor to it', async () => {
    const { isDone, held, ledger } = await mended([answer(vector({ 1: 5 }), undefined)]);
    // A member reckons itself what is stable: nothing was told to this one.
    expect(isDone).toBe(false);
    await ledger.submit({
      keys: [],
      sync: true,
      bytes: 0,
      decide: () => ({ state: { stable: vector({ 1: 5 }) }, result: undefined }),
    });
    const ask = async function* () {
      yield answer(vector({ 1: 5 }), undefined);
    };
    expect(
      await new Mending({ ledger, clock, observer, settled, clockHoldMs: 0, ask }).round(new AbortController().signal),
    ).toBe(true);
    expect([await held('k'), ledger.state.floor]).toEqual([undefined, vector({ 1: 5 })]);
  });

  it('takes no word of a node whose clock may be ahead that the value has expired: it would be gone for good (R9)', async () => {
    const found = expireInPlace({
      ...live({ key: 'k', sequence: 5, log: log(1), stamp: stampAt(5, log(1)) }),
      expiresAt: 3600,
    });
    settledMs = 3_599_000;
    const early = await mended([answer(vector({ 1: 5 }), found)]);
    expect(early.isDone).toBe(false);
    await expect(early.held('k')).rejects.toMatchObject({ code: 'DATA_LOSS' });
    settledMs = 3_600_000;
    const late = await mended([answer(vector({ 1: 5 }), found)]);
    expect([late.isDone, await late.held('k')]).toEqual([true, found]);
  });

  it('takes it once nodes have said so for as long as a clock must hold, however far this one is behind', async () => {
    settledMs = 0;
    const node = await opened('member');
    const hand = new HandClock();
    const ended = { ...live({ key: 'k', sequence: 5, log: log(1), stamp: stampAt(5, log(1)) }), expiresAt: 3600 };
    let found: Record = expireInPlace(ended);
    const ask = async function* () {
      yield answer(vector({ 1: 5 }), found);
    };
    const options = { ledger: node.ledger, clock: hand, observer, settled, clockHoldMs: 300_000, ask };
    const mending = new Mending(options);
    const round = () => mending.round(new AbortController().signal);
    // Two jumps of another one's clock, and nothing heard in between.
    expect(await round()).toBe(false);
    hand.pass(400_000);
    for (let told = 0; told < 31; told++) {
      expect(await round()).toBe(false);
      hand.pass(told < 30 ? 9_900 : 3_000);
    }
    expect([await round(), await node.held('k')]).toEqual([true, found]);
    // One that is told to live meanwhile does.
    found = ended;
    const other = await opened('member');
    expect(await new Mending({ ...options, ledger: other.ledger }).round(new AbortController().signal)).toBe(true);
    expect(await other.held('k')).toEqual(ended);
  });

  it('leaves alone what was written meanwhile', async () => {
    const node = await opened('member');
    const deleted = tombstone({ key: 'k', sequence: 9, log: log(9), stamp: stampAt(90, log(9)) });
    const ask = async function* () {
      const decide = () => ({ puts: [deleted], result: undefined });
      await node.ledger.submit({ keys: [deleted], sync: true, bytes: 0, decide });
      yield answer(vector({ 1: 5 }), write('k', 1, 5));
    };
    const mending = new Mending({ ledger: node.ledger, clock, observer, settled, clockHoldMs: 0, ask });
    expect(await mending.round(new AbortController().signal)).toBe(true);
    expect(await node.held('k')).toEqual(deleted);
  });
});
