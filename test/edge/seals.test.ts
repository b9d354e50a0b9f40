import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CopyScope } from '../../src/edge/copy-scope.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import type { CaughtUp, Change, Changes, Opened } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import type { LogId } from '../../src/model/position.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import { StalenessTracker } from '../../src/replication/following/staleness-tracker.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { logKeys } from '../../src/replication/logs.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { said } from '../replication/registry-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { CacheDriver, log, member, registration, vector, written } from './cache-driver.ts';
import { FakeClock } from './fake-clock.ts';

/** The log in which the member goes on. */
const next = '2'.repeat(16) as LogId;
const opened = makeStamp({ wallMs: 2, counter: 0, log: next });
const nextRegistered = said(logKeys.log(next), { member, opened }, { log: next, sequence: 1 });

/** Where the log ends, as its member says at the second position of the next one. */
function sealAt(final: number) {
  const value = { member, opened: makeStamp({ wallMs: 1, counter: 0, log }), final };
  return said(logKeys.log(log), value, { log: next, sequence: 2 }, 10);
}

/** Its member knows all its logs: what is not sealed by now was never seen by a member. */
const current = said(logKeys.current(member), { log: next }, { log: next, sequence: 3 });

const both = (of: number, ofNext: number): VersionVector => new Map([...vector(of), [next, ofNext]]);
const step = (covered: VersionVector, ...records: Change[]): Changes => {
  return { kind: 'changes', records, step: { vector: covered, stable: new Map() } };
};
const caughtUp = (covered: VersionVector): CaughtUp => {
  return { kind: 'caught-up', vector: covered, stable: new Map(), floor: new Map() };
};
const beginsAnew = { code: 'UNAVAILABLE', details: { reason: 'begins-anew' } };
const sealUnheard = { code: 'UNAVAILABLE', details: { reason: 'seal-unheard' } };

describe('a cache that hears where a log ends (R23)', () => {
  let cache: CacheDriver;
  beforeEach(async () => {
    cache = await CacheDriver.open();
  });
  afterEach(() => cache.close());

  it('begins anew where it covers more of it', async () => {
    await cache.caughtUp(6);
    await cache.keep(written(1, 'kept'), 6);
    await expect(cache.showOnly(nextRegistered, sealAt(5))).rejects.toMatchObject(beginsAnew);
    expect(await cache.held('kept')).toBe(undefined);
    expect(await cache.scope.start()).toEqual({ kind: 'nothing' });
    cache = await cache.reopened();
    expect(await cache.scope.start(), 'also after a restart').toEqual({ kind: 'nothing' });
  });

  it('begins anew where it holds what was loaded ahead of the feed, beyond the end', async () => {
    await cache.caughtUp(3);
    await cache.keep(written(5), 5);
    expect(await cache.held()).toBe('5');
    await expect(cache.showOnly(nextRegistered, sealAt(4))).rejects.toMatchObject(beginsAnew);
    expect(await cache.held()).toBe(undefined);
  });

  it('begins anew where it holds anything of a log that no member ever saw, once it covers what says so', async () => {
    await cache.caughtUp(3);
    await cache.keep(written(3), 3);
    await cache.showOnly(nextRegistered, current);
    expect(await cache.held(), 'not covered yet').toBe('3');
    const covering = cache.scope.apply(step(both(0, 3)));
    await expect(covering).rejects.toMatchObject(beginsAnew);
    expect(await cache.held()).toBe(undefined);
  });

  it('proves its age anew then: it may be filled next by a server that knows less, against the same root', async () => {
    await cache.caughtUp(6);
    cache.tracker.echoed({ id: cache.tracker.probe(), bound: { boundMs: 0, root: next } });
    expect(cache.scope.bound()).toEqual({ boundMs: 0, root: next });
    await expect(cache.showOnly(nextRegistered, sealAt(5))).rejects.toMatchObject(beginsAnew);
    await cache.scope.start();
    await cache.showOnly(registration, nextRegistered);
    await cache.scope.apply(caughtUp(both(5, 1)));
    expect(cache.scope.bound()).toBe(undefined);
    cache.tracker.echoed({ id: cache.tracker.probe(), bound: { boundMs: 300, root: next } });
    expect(cache.scope.bound()?.boundMs).toBe(300);
  });

  it('begins anew once for a void log that its upstream holds as well: it is for another one to seal it', async () => {
    await cache.caughtUp(3);
    await cache.showOnly(nextRegistered, current);
    await expect(cache.scope.apply(step(both(3, 3)))).rejects.toMatchObject(beginsAnew);
    expect(await cache.scope.start()).toEqual({ kind: 'nothing' });
    await cache.showOnly(registration, nextRegistered, current);
    await cache.scope.apply(caughtUp(both(3, 3)));
    await cache.keep(written(3), both(3, 3));
    await cache.scope.apply(step(both(3, 4)));
    expect(cache.scope.hasCaughtUp).toBe(true);
  });

  it('begins anew once more where it came again from a server that had yet to hear that the log is void', async () => {
    const opens = (generation: string) => cache.scope.opened({ clusterId: 'c', generation } as Opened);
    await opens('heard');
    await cache.caughtUp(3);
    await cache.showOnly(nextRegistered, current);
    await expect(cache.scope.apply(step(both(3, 3)))).rejects.toMatchObject(beginsAnew);
    expect(await cache.scope.start()).toEqual({ kind: 'nothing' });
    await opens('unheard');
    await cache.showOnly(registration);
    await cache.scope.apply(caughtUp(vector(3)));
    expect(await cache.scope.start()).toMatchObject({ kind: 'cursor' });
    await opens('heard');
    await cache.showOnly(nextRegistered, current);
    await expect(cache.scope.apply(step(both(3, 3)))).rejects.toMatchObject(beginsAnew);
  });

  it('goes on where it covers and holds no more than counts, from a cursor that names each log', async () => {
    await cache.caughtUp(5);
    await cache.keep(written(5), 5);
    await cache.scope.apply(step(both(5, 2), nextRegistered, sealAt(5)));
    expect(await cache.held()).toBe('5');
    expect(cache.scope.ledger.state.covered).toEqual(new Map([[next, 2]]));
    expect(await cache.scope.start()).toEqual({ kind: 'cursor', cursor: both(5, 2) });
  });

  it.each([
    ['claims more of it', step(both(6, 2))],
    ['claims more of it at the end of a scan', caughtUp(both(6, 2))],
    ['shows a record beyond the end', { kind: 'changes', records: [written(6)] } as const],
  ])('hangs up on a server that %s', async (_, event) => {
    await cache.caughtUp(5);
    await cache.keep(written(5), 5);
    await cache.scope.apply(step(both(5, 2), nextRegistered, sealAt(5)));
    await expect(cache.scope.apply(event)).rejects.toMatchObject(sealUnheard);
    expect(await cache.held()).toBe('5');
    expect(cache.scope.observed.vector.get(log), 'no more was shown').toBe(5);
  });

  it.each([
    ['shows a record beyond the end', written(6), both(5, 2)],
    ['covers more than counts', written(5), both(6, 2)],
  ])('asks again who %s, and then says so', async (_, record, covered) => {
    await cache.caughtUp(4);
    await cache.scope.apply(step(both(5, 2), nextRegistered, sealAt(5)));
    const loading = cache.load();
    const refused = expect(loading).rejects.toMatchObject(sealUnheard);
    for (let attempt = 0; attempt < 3; attempt++) (await cache.nextAsked()).answer(record, covered);
    await refused;
    expect(await cache.held()).toBe(undefined);
  });

  it('passes on and does not keep a record of a log that it has not heard of: nobody could tell when that is void', async () => {
    await cache.caughtUp(4);
    const stranger = { ...written(1), position: { log: '9'.repeat(16) as LogId, sequence: 1 } };
    const loading = cache.load();
    (await cache.nextAsked()).answer(stranger, 4);
    expect((await loading).record).toBe(stranger);
    expect(await cache.held()).toBe(undefined);
  });

  it('keeps what a responder answers that covers the sealed log by its seal alone (R13)', async () => {
    await cache.caughtUp(4);
    await cache.scope.apply(step(both(5, 2), nextRegistered, sealAt(5)));
    await cache.keep(written(5), new Map([[next, 2]]));
    expect(await cache.held()).toBe('5');
  });
});

async function aCopy() {
  const clock = new FakeClock();
  const ledger = await Ledger.open({ ...edgeDefaults, store: new MemoryDisk().open(), clock, observer });
  const tracker = new StalenessTracker(clock, 1000);
  const listener = { joined: async () => {}, heard: () => {} };
  const copy = await CopyScope.open({ ledger, clock, observer, tracker, listener, filter: everything });
  const followers: string[] = [];
  copy.followers = {
    voided: async () => void followers.push('voided'),
    caughtUp: () => void followers.push('caught up'),
  };
  const held = async () => {
    const found = (await copy.lookup(written(1)))?.record;
    return found?.kind === 'live' ? Buffer.from(found.value).toString() : found;
  };
  await copy.start();
  await copy.apply({ kind: 'changes', records: [registration] });
  return { copy, ledger, tracker, followers, held };
}

describe('a copy that hears where a log ends (R23)', () => {
  it('begins anew with a resync where it covers more of it, and so do its followers', async () => {
    const { copy, followers, held } = await aCopy();
    await copy.apply({ kind: 'changes', records: [written(6)] });
    await copy.apply(caughtUp(vector(6)));
    expect(await held()).toBe('6');
    await expect(copy.apply(step(both(6, 2), nextRegistered, sealAt(5)))).rejects.toMatchObject(beginsAnew);
    expect([copy.hasCaughtUp, followers, copy.observed.generation]).toEqual([false, ['caught up', 'voided'], 1]);
    expect(await copy.start()).toEqual({ kind: 'resync' });
    expect(await held(), 'nothing that it holds counts').toBe(undefined);
  });

  it('keeps no write of its own clients that lies beyond the end, and begins anew for none: the store has none', async () => {
    const { copy, held } = await aCopy();
    await copy.apply(caughtUp(vector(5)));
    await copy.install(written(6));
    expect(await held()).toBe('6');
    await copy.apply(step(both(5, 2), nextRegistered, sealAt(5)));
    expect([await held(), copy.hasCaughtUp]).toEqual([undefined, true]);
    await copy.install(written(6));
    expect(await held()).toBe(undefined);
  });

  it('takes what a resync shows in place of what it holds, whatever the stamps', async () => {
    const { copy, held } = await aCopy();
    await copy.apply({ kind: 'changes', records: [written(6)] });
    await copy.apply(caughtUp(vector(6)));
    await copy.install(written(7));
    await copy.apply({ kind: 'resync', reason: 'void-log' });
    await copy.apply({ kind: 'changes', records: [registration, written(2)], range: {} });
    await copy.apply(caughtUp(vector(2)));
    expect(await held()).toBe('2');
  });

  it('takes everything anew, once, where it caught up and holds something of a log that nobody knows', async () => {
    const { copy, held } = await aCopy();
    const lost = { ...written(6), key: 'lost', position: { log: next, sequence: 9 } };
    await copy.apply({ kind: 'changes', records: [written(5), lost] });
    await expect(copy.apply(caughtUp(vector(5)))).rejects.toMatchObject({ details: { reason: 'begins-anew' } });
    expect(await copy.start()).toEqual({ kind: 'resync' });
    await copy.apply({ kind: 'resync', reason: 'asked' });
    await copy.apply({ kind: 'changes', records: [registration, written(5), lost], range: {} });
    await copy.apply(caughtUp(vector(5)));
    expect(await held()).toBe('5');
  });

  it('goes on, with what it holds, where a server has yet to hear of the seal', async () => {
    const { copy, held } = await aCopy();
    await copy.apply({ kind: 'changes', records: [written(5)] });
    await copy.apply(caughtUp(vector(5)));
    await copy.apply(step(both(5, 2), nextRegistered, sealAt(5)));
    await expect(copy.apply(step(both(6, 2)))).rejects.toMatchObject(sealUnheard);
    expect([await held(), copy.hasCaughtUp]).toEqual(['5', true]);
    expect(await copy.start()).toEqual({ kind: 'cursor', cursor: both(5, 2) });
  });
});
