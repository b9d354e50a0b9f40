import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FeedEvent, FollowerMessage, FollowOpen, FollowStart } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import type { LogId } from '../../src/model/position.ts';
import type { Record } from '../../src/model/record.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import type { LedgerState } from '../../src/replication/ledger-state.ts';
import { logKeys } from '../../src/replication/logs.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { FeedServer } from '../../src/replication/serving/feed-server.ts';
import { BoundedQueue } from '../../src/runtime/bounded-queue.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import type { Snapshot } from '../../src/store/store.ts';
import { live, namespaceA, namespaceB, stampAt, tombstone } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { current, log, member, openedAt, registered, said, sealed, vector } from './registry-records.ts';

const identity = { name: 'server', role: 'origin', id: 'c'.repeat(16), region: 'r' } as const;

let disk: MemoryDisk;
let ledger: Ledger;
let server: FeedServer;
let generation: string;
/** Whether all other members were heard from since the stream began. */
let heard: boolean;
let acknowledged: VersionVector[];
let skews: string[];

beforeEach(async () => {
  generation = 'g1';
  heard = true;
  disk = new MemoryDisk();
  acknowledged = [];
  skews = [];
  const observer = { ...silentReplicationObserver, clockSkew: (peer: string) => void skews.push(peer) };
  ledger = await Ledger.open({ ...originDefaults, store: disk.open(), clock, observer });
  server = new FeedServer({
    ...originDefaults,
    scanRecordsMax: 2,
    scanStallMs: 20,
    ledger,
    clock,
    observer,
    identity,
    clusterId: () => 'c',
    nonce: 'n',
    generation: () => generation,
    // As a copy's: unknown once its store was opened again.
    bound: () => (ledger.reopenings === 0 ? { boundMs: 0, root: log(2) } : undefined),
    rootWallMs: () => undefined,
    heardFromAllSince: () => heard,
    acknowledged: (_node, _role, durable) => acknowledged.push(durable),
  });
  // Log 1 ended at 5 and log 2 goes on; log 3 was never seen by a member.
  const unseen = said(logKeys.log(log(3)), { member: member(1), opened: openedAt(0) }, { log: log(3), sequence: 1 });
  const records = [sealed(1, 1, 5, [2, 2]), registered(2, 1), current(1, 2, [2, 3]), unseen];
  await commit([...records, write('old', 1, 4), write('new', 2, 4)], { covered: vector({ 1: 5, 2: 4 }) });
});

function write(key: string, n: number, sequence: number): Record {
  return live({ key, sequence, log: log(n), stamp: stampAt(sequence, log(n)) });
}

function commit(puts: readonly Record[], state: Partial<LedgerState> = {}): Promise<void> {
  return ledger.submit({ keys: puts, sync: true, bytes: 0, decide: () => ({ puts, state, result: undefined }) });
}

async function* noProbes(): AsyncGenerator<FollowerMessage> {}

function openOf(role: FollowOpen['role'], start: FollowStart, filter = everything): FollowOpen {
  const node = { ...identity, name: 'follower', id: 'd'.repeat(16) };
  return { protocol: 2, node, nonce: 'f', role, filter, values: { kind: 'all' }, start };
}

/** What a follower is sent up to caught-up: why it resyncs, and the keys of data. */
async function follow(role: FollowOpen['role'], start: FollowStart) {
  const ended = new AbortController();
  const events: FeedEvent[] = [];
  for await (const event of server.follow(openOf(role, start), noProbes(), ended.signal)) {
    events.push(event);
    if (event.kind === 'caught-up') break;
  }
  ended.abort();
  const resync = events.find(({ kind }) => kind === 'resync');
  const records = events.flatMap((event) => (event.kind === 'changes' ? event.records : []));
  return {
    events,
    resync: resync?.kind === 'resync' ? resync.reason : undefined,
    keys: records.filter(({ namespace }) => namespace === namespaceA).map(({ key }) => key),
  };
}

const cursor = (of: VersionVector): FollowStart => ({ kind: 'cursor', cursor: of });

describe('the cursor of an edge', () => {
  it('is answered with what each log holds from there on, sealed ones included', async () => {
    expect(await follow('copy', cursor(vector({ 1: 3, 2: 3 })))).toMatchObject({ keys: ['old', 'new'] });
    expect(await follow('copy', cursor(vector({ 1: 5, 2: 3 })))).toMatchObject({ keys: ['new'] });
    expect((await follow('copy', cursor(vector({ 1: 5, 2: 4 })))).resync).toBe(undefined);
  });

  it.each([
    ['lies below the floor', vector({ 1: 3, 2: 4 }), 'below-floor'],
    ['does not name a log that was purged of', vector({ 2: 4 }), 'below-floor'],
    ['goes beyond a seal', vector({ 1: 6, 2: 4 }), 'beyond-seal'],
    ['names a log that no member ever saw', vector({ 1: 5, 2: 4, 3: 1 }), 'void-log'],
  ])('is answered with a resync where it %s', async (_, of, reason) => {
    await commit([], { floor: vector({ 1: 4 }) });
    const { resync, keys } = await follow('copy', cursor(of));
    expect([resync, keys.sort()]).toEqual([reason, ['new', 'old']]);
  });

  it('is not compared with the floor by what its seals imply: what is implied was not told', async () => {
    await commit([], { floor: vector({ 1: 5 }) });
    expect((await follow('copy', cursor(vector({ 2: 4 })))).resync).toBe('below-floor');
    expect((await follow('copy', cursor(vector({ 1: 5, 2: 4 })))).resync).toBe(undefined);
  });

  it('is compared with the floor of a purge that the snapshot shows already, though nobody has been told of it', async () => {
    const deleted = tombstone({ key: 'new', sequence: 5, log: log(2), stamp: stampAt(5, log(2)) });
    await commit([deleted], { covered: vector({ 2: 5 }) });
    let over = () => {};
    const { store } = ledger;
    const commitNow = store.commit.bind(store);
    // As LevelDB does: the batch is seen as soon as it is written, and whoever committed it hears of that later.
    store.commit = (batch) => commitNow(batch).then(() => new Promise<void>((resolve) => (over = resolve)));
    const state = { floor: vector({ 2: 5 }) };
    const decide = () => ({ removals: [deleted], state, silent: true, result: undefined });
    const purging = ledger.submit({ keys: [deleted], sync: false, bytes: 0, decide });
    await expect.poll(async () => (await store.heads([deleted]))[0]).toBeUndefined();
    expect((await follow('copy', cursor(vector({ 1: 5, 2: 4 })))).resync).toBe('below-floor');
    over();
    await purging;
    expect(ledger.state.floor).toEqual(vector({ 2: 5 }));
  });

  it('may name a log that is not known here: its writes may still come', async () => {
    expect((await follow('copy', cursor(vector({ 1: 5, 2: 4, 9: 7 })))).resync).toBe(undefined);
  });
});

describe('the cursor of a member', () => {
  it('is served beyond a seal and of a void log: by what it lacks it hears of them', async () => {
    const { resync, keys } = await follow('peer', cursor(vector({ 1: 9, 2: 3, 3: 1 })));
    expect([resync, keys]).toEqual([undefined, ['new']]);
  });

  it('is refused below the floor: its disk was put back, and it begins anew (R8)', async () => {
    await commit([], { floor: vector({ 1: 4 }) });
    const refused = follow('peer', cursor(vector({ 1: 3, 2: 4 })));
    await expect(refused).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'below-floor' } });
  });

  it('is refused where its first scan broke off and the server was opened again since: it begins anew (R19)', async () => {
    const refused = follow('peer', { kind: 'partial', token: 'of another generation' });
    await expect(refused).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'void-progress' } });
  });
});

it('an echo proves nothing where the store was opened again since its probe came: what it stood behind may be lost', async () => {
  const ended = new AbortController();
  const probes = new BoundedQueue<FollowerMessage>(2);
  const events = server.follow(openOf('copy', { kind: 'nothing' }), probes, ended.signal);
  const until = async (kind: FeedEvent['kind']) => {
    const keys: string[] = [];
    for (;;) {
      const { value: event } = await events.next();
      if (event.kind === 'changes') keys.push(...event.records.map(({ key }: Record) => key));
      if (event.kind === kind) return { event, keys };
    }
  };
  await until('caught-up');
  const puts = [write('unsynced', 2, 5)];
  await ledger.submit({ keys: puts, sync: false, bytes: 0, decide: () => ({ puts, result: undefined }) });
  probes.push({ kind: 'probe', id: 1, durable: vector({}), wallMs: 0 });
  await new Promise((resolve) => setImmediate(resolve));
  disk.nextCommitFails = 'lost';
  await expect(commit([write('other', 2, 6)])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const { event, keys } = await until('echo');
  expect(keys).not.toContain('unsynced');
  expect(event.bound).toBe(undefined);
  ended.abort();
  await events.return(undefined);
});

describe('a scan that broke off', () => {
  /** The first page that told how far the scan got. */
  async function firstPage(start: FollowStart) {
    const { events } = await follow('copy', start);
    const page = events.find((event) => event.kind === 'changes' && event.token !== undefined);
    if (page?.kind !== 'changes' || page.token === undefined) throw new Error('no page told a token');
    return { token: page.token, keys: page.records.map(({ key }) => key) };
  }

  it('goes on behind its token, and then shows what changed meanwhile', async () => {
    const { token, keys: shown } = await firstPage({ kind: 'nothing' });
    await commit([write('later', 2, 5)], { covered: vector({ 2: 5 }) });
    const { resync, keys, events } = await follow('copy', { kind: 'partial', token });
    expect([resync, [...new Set(keys)].sort()]).toEqual([undefined, ['later', 'new', 'old']]);
    const again = events.flatMap((event) => (event.kind === 'changes' ? event.records.map(({ key }) => key) : []));
    expect([shown.length, shown.filter((key) => again.includes(key))]).toEqual([2, []]);
  });

  it('begins anew with a resync in another generation of the server (R21)', async () => {
    const { token } = await firstPage({ kind: 'nothing' });
    generation = 'g2';
    const { resync, keys } = await follow('copy', { kind: 'partial', token });
    expect([resync, keys.sort()]).toEqual(['void-progress', ['new', 'old']]);
  });

  it('goes on from its cursor where its token is worth nothing any more', async () => {
    const { token } = await firstPage(cursor(vector({ 1: 3, 2: 3 })));
    generation = 'g2';
    const start = { kind: 'cursor', cursor: vector({ 1: 5, 2: 3 }), token } as const;
    expect(await follow('copy', start)).toMatchObject({ resync: undefined, keys: ['new'] });
  });
});

it('a scan ends soon after its follower has gone, though nothing of its scope comes: others wait for its place', async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => write(`k${i}`, 2, i + 5));
  await commit(many, { covered: vector({ 2: 20_004 }) });
  let read = 0;
  const { snapshot } = ledger.instant();
  const ended = new AbortController();
  ledger.store.snapshot = () =>
    Object.assign(Object.create(snapshot) as Snapshot, {
      logs: snapshot.logs.bind(snapshot),
      records: snapshot.records.bind(snapshot),
      close: async () => {},
      async *log(of: LogId, from: number) {
        for await (const page of snapshot.log(of, from)) {
          read += page.length;
          ended.abort(new Error('gone'));
          yield page;
        }
      },
    });
  const filter = { includes: [{ namespace: namespaceB, prefix: '' }], excludes: [] };
  const gone = server.follow(openOf('watch', cursor(vector({ 1: 5, 2: 4 })), filter), noProbes(), ended.signal);
  const reading = async () => {
    for await (const event of gone) if (event.kind !== 'opened') ended.signal.throwIfAborted();
  };
  await expect(reading()).rejects.toThrow('gone');
  expect(read).toBeLessThan(10_000);
  await snapshot.close();
});

describe('a watch', () => {
  it('resumes from a folded cursor: what the seals imply it was shown', async () => {
    await commit([write('later', 2, 5)], { covered: vector({ 2: 5 }) });
    expect(await follow('watch', cursor(vector({ 2: 4 })))).toMatchObject({ resync: undefined, keys: ['later'] });
  });

  it('resumes from a cursor in a log that was sealed since', async () => {
    expect(await follow('watch', cursor(vector({ 1: 4 })))).toMatchObject({ resync: undefined, keys: ['new'] });
  });

  it('is refused for now where it was shown what is not here yet', async () => {
    await expect(follow('watch', cursor(vector({ 2: 9 })))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'session-not-covered' },
    });
  });

  it('is reset where its cursor names a log that nobody knows any more, once all members were heard from', async () => {
    expect((await follow('watch', cursor(vector({ 2: 4, 9: 1 })))).resync).toBe('void-log');
    heard = false;
    await expect(follow('watch', cursor(vector({ 2: 4, 9: 1 })))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it.each([
    ['beyond a seal', vector({ 1: 6 }), 'beyond-seal'],
    ['of a void log', vector({ 2: 4, 3: 1 }), 'void-log'],
  ])('is reset where its cursor lies %s', async (_, of, reason) => {
    expect((await follow('watch', cursor(of))).resync).toBe(reason);
  });
});

it('clocks of other origins are measured, and those of edges are not: they tell of their own', async () => {
  const ending = new AbortController();
  for (const role of ['copy', 'cache', 'peer'] as const) {
    const messages = new BoundedQueue<FollowerMessage>(1);
    const open = openOf(role, { kind: 'nothing' });
    const events = server.follow({ ...open, node: { ...open.node, name: role } }, messages, ending.signal);
    messages.push({ kind: 'probe', id: 1, durable: vector({}), wallMs: 0 });
    let event: FeedEvent | undefined;
    while (event?.kind !== 'echo') event = (await events.next()).value;
  }
  ending.abort();
  expect(skews).toEqual(['peer']);
});

it('a stream that was ended acknowledges nothing any more, also where its follower has yet to read that', async () => {
  const messages = new BoundedQueue<FollowerMessage>(4);
  const stalled = server.follow(openOf('peer', { kind: 'nothing' }), messages, new AbortController().signal);
  await stalled.next();
  const probe = (id: number, durable: VersionVector): FollowerMessage => ({ kind: 'probe', id, durable, wallMs: 0 });
  messages.push(probe(1, vector({ 2: 3 })));
  await vi.waitFor(() => expect(acknowledged).toEqual([vector({ 2: 3 })]));
  // The follower's disk was put back, and a later opening has called. What the earlier one had sent is still on its way.
  server.endStreams(() => true, 'opened again');
  messages.push(probe(2, vector({ 2: 4 })));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(acknowledged).toEqual([vector({ 2: 3 })]);
  await expect(stalled.next()).rejects.toMatchObject({ details: { reason: 'stream-ended' } });
});
