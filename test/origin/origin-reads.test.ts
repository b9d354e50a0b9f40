import { expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { LogId, MemberId } from '../../src/model/position.ts';
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

const other = 'b'.repeat(16) as LogId;

async function readsOver(more: { check?: () => void; heardFromAllSince?: () => boolean }) {
  const ledger = await Ledger.open({ ...originDefaults, store: new MemoryDisk().open(), clock, observer });
  const { logs } = ledger.registry;
  const ownLog = new OwnLog({ member: 'a'.repeat(16) as MemberId, logs, random: new SeededRandom(1), clock });
  const nothing = { check: () => {}, heardFromAllSince: () => false };
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
