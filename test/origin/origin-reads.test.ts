import { expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { OriginReads } from '../../src/origin/origin-reads.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const [self, other] = ['a', 'b'].map((digit) => digit.repeat(16)) as [LogId, LogId];

it.each([false, true])(
  'an origin that lost its id while a session was waited for (%s) does not answer it',
  async (lost) => {
    const ledger = await Ledger.open({ ...originDefaults, store: new MemoryDisk().open(), clock, observer });
    let lostItsId = false;
    const check = () => {
      if (lostItsId) throw new MeridianError('UNAVAILABLE', 'this origin lost its id', { reason: 'lost-id' });
    };
    const reads = new OriginReads({ ledger, clock, originObserver: silentOriginObserver, self, name: 'a', check });
    const vector = new Map([[other, 7]]);
    const call = { deadlineMs: clock.monotonicMs() + 5000, signal: new AbortController().signal };
    const reading = reads.get(
      { namespace: registryNamespace, key: 'k', session: { vector, stamp: bottomStamp } },
      call,
    );
    const answered = reading.then(
      () => 'answered',
      (error: MeridianError) => error.details.reason,
    );
    lostItsId = lost;
    // What it covers from now on means nothing, if its id is lost.
    const decide = () => ({ state: { covered: vector }, result: undefined });
    await ledger.submit({ keys: [], sync: true, bytes: 0, decide });
    expect(await answered).toBe(lost ? 'lost-id' : 'unknown-namespace');
  },
);
