import { beforeAll, describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { LogId, MemberId } from '../../src/model/position.ts';
import { emptySession } from '../../src/model/session.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { OriginReads } from '../../src/origin/origin-reads.ts';
import { OwnLog } from '../../src/origin/own-log.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { OriginGroup } from './origin-group.ts';

const other = 'b'.repeat(16) as LogId;

async function readsOver(more: { check?: () => void; heardFromAllSince?: () => boolean }) {
  const ledger = await Ledger.open({ ...originDefaults, store: new MemoryDisk().open(), clock, observer });
  const { logs } = ledger.registry;
  const ownLog = new OwnLog({ member: 'a'.repeat(16) as MemberId, logs, random: new SeededRandom(1), clock });
  const nothing = { check: () => {}, heardFromAllSince: () => false, rewritten: () => true, fenced: () => undefined };
  const reads = new OriginReads({
    ledger,
    clock,
    originObserver: silentOriginObserver,
    ownLog,
    name: 'a',
    ...nothing,
    ...more,
  });
  return { ledger, reads };
}

const session = { vector: new Map([[other, 7]]), stamp: bottomStamp };
const call = () => ({ deadlineMs: clock.monotonicMs() + 5000, signal: new AbortController().signal });

it.each([false, true])(
  'an origin that stops serving while a session is waited for (%s) does not answer it',
  async (stops) => {
    let stopped = false;
    const check = () => {
      if (stopped) throw new MeridianError('UNAVAILABLE', 'this origin begins anew', { reason: 'leaving' });
    };
    const { ledger, reads } = await readsOver({ check });
    const answered = reads.get({ namespace: registryNamespace, key: 'k', session }, call()).then(
      () => 'answered',
      (error: MeridianError) => error.details.reason,
    );
    stopped = stops;
    const decide = () => ({ state: { covered: session.vector }, result: undefined });
    await ledger.submit({ keys: [], sync: true, bytes: 0, decide });
    expect(await answered).toBe(stops ? 'leaving' : 'unknown-namespace');
  },
);

it('a session is not held to a log that no member knows, once all of them were heard of since the question', async () => {
  let heard = false;
  const { reads } = await readsOver({ heardFromAllSince: () => heard });
  const covering = reads.covering(session, call());
  const first = await Promise.race([covering, Promise.resolve('waits')]);
  expect(first).toBe('waits');
  heard = true;
  expect(await covering).toEqual({ vector: new Map(), stamp: bottomStamp });
});

describe('an answer whose store took 10 ms', () => {
  let isFenced: string | undefined;
  const group = new OriginGroup({ hotBytesMax: 0, fenced: () => isFenced });

  beforeAll(async () => {
    await group.open('a', [], {}, async ({ stores: { store } }) => {
      const read = store.read.bind(store);
      store.read = async (key) => {
        const record = await read(key);
        await group.time.wait(10);
        return record;
      };
    });
    await group.until(group.at('a').create('ns', group.call()));
    await group.put('a', 'k', '1');
  });

  it.each([
    ['is as old as the question where something was committed since', () => void group.put('a', 'k', '2'), 10],
    [
      'is as old as the question where another process may hold the store by now',
      () => {
        isFenced = 'paused';
      },
      10,
    ],
    ['is fresh else', () => {}, 0],
  ])('%s', async (_what, meanwhile, boundMs) => {
    isFenced = undefined;
    // What an origin commits of itself in the beginning is over.
    await group.until(group.time.wait(1000));
    const request = { namespace: 'ns', key: 'k', session: emptySession, maxStalenessMs: 5 };
    const asked = group.at('a').get(request, group.call());
    meanwhile();
    const { bound, past } = await group.until(asked);
    expect([bound?.boundMs, past]).toEqual([boundMs, boundMs > 5]);
  });
});
