import { describe, expect, it } from 'vitest';
import type { Epochs } from '../../src/model/epoch.ts';
import type { CaughtUp, Changes, Opened } from '../../src/model/feed.ts';
import type { OriginId } from '../../src/model/position.ts';
import type { Record } from '../../src/model/record.ts';
import { Adoption } from '../../src/origin/adoption.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { PeerSink } from '../../src/origin/peer-sink.ts';
import { ResyncMark } from '../../src/origin/resync-mark.ts';
import { Settlement } from '../../src/origin/settlement.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver as observer } from '../../src/replication/observer.ts';
import { systemClock as clock } from '../../src/runtime/system-clock.ts';
import { live } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const [lost, self, one, other] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(16)) as [
  OriginId,
  OriginId,
  OriginId,
  OriginId,
];

/** The openings of `lost`: which one, and the first sequence that it wrote. */
function openings(...starts: Array<readonly [epoch: number, first: number]>): Epochs {
  return new Map([[lost, starts.map(([epoch, first]) => ({ epoch, first }))]]);
}

function written(key: string, sequence: number): Record {
  return { ...live({ key, sequence }), position: { origin: lost, sequence } };
}

function shown(records: readonly Record[], epochs?: Epochs): Changes {
  return { kind: 'changes', records, token: 't', ...(epochs === undefined ? {} : { epochs }) };
}

function caughtUp(sequence: number, epochs: Epochs): CaughtUp {
  return { kind: 'caught-up', vector: new Map([[lost, sequence]]), floor: new Map(), settled: new Map(), epochs };
}

/** An origin that covers 4 of the other one's log, and the streams of those that it follows. */
async function follower(sync?: () => Promise<void>) {
  const ledger = await Ledger.open({ ...originDefaults, store: new MemoryDisk().open(sync), clock, observer });
  const settlement = new Settlement(self, ledger.registry.membership);
  const adoption = new Adoption({ ledger, self, settlement, clock });
  const sinks = new Map<OriginId, PeerSink>();
  const follow = async (id: OriginId): Promise<PeerSink> => {
    const sink = sinks.get(id) ?? (await PeerSink.open({ ...options, address: id }));
    sinks.set(id, sink);
    sink.closed();
    await sink.start();
    const node: Opened['node'] = { name: id, role: 'origin', id, region: 'r' };
    await sink.opened({ kind: 'opened', node, nonce: id, clusterId: 'c', generation: 'g', wallMs: 0 });
    return sink;
  };
  const options = {
    ledger,
    clock,
    observer,
    settlement,
    mark: new ResyncMark(clock, () => {}),
    clockSkewMsMax: Number.POSITIVE_INFINITY,
    silenceMsMax: 60_000,
    meet: async () => {},
    adopt: (lives: Parameters<Adoption['takeLost']>[0]) => adoption.takeLost(lives),
    mayTake: () => {},
    inspect: () => {},
    self: (): Opened['node'] => ({ name: 'b', role: 'origin', id: self, region: 'r' }),
  };
  const first = await follow(lost);
  await first.apply(caughtUp(4, openings([1, 1])));
  /** The keys that are held at places of this origin's log. */
  const at = async (origin: OriginId) => {
    const keys: string[] = [];
    for await (const page of ledger.store.snapshot().log(origin, 1)) keys.push(...page.map(({ key }) => key));
    return keys;
  };
  return { follow, at, ledger };
}

describe('an origin that holds what a disk has lost', () => {
  it.each([lost, one])('adopts it where the opening that took over begins at the same, told by %s', async (teller) => {
    const { follow, at, ledger } = await follower();
    // A scan that broke off, of a life that is lost by now.
    await (await follow(lost)).apply(shown([written('lost', 5)], openings([1, 1], [2, 5])));
    const sink = await follow(teller);
    const told = openings([1, 1], [3, 5]);
    await sink.apply(shown([written('new', 5)], told));
    await sink.apply(caughtUp(5, told));
    expect(await at(lost)).not.toContain('lost');
    expect(await at(self)).toContain('lost');
    expect(ledger.state.epochs, 'as they would swap the two').toEqual(openings([1, 1], [2, 5]));
  });

  it('takes nothing of it by one link while another one tells of what took its place', async () => {
    const [old, now] = [openings([1, 1], [2, 9]), openings([1, 1], [3, 5])];
    for (let wait = 0; wait < 20; wait++) {
      const { follow, at } = await follower(() => new Promise((resolve) => setTimeout(resolve, 2)));
      const behind = await follow(other);
      await behind.apply(shown([written('ninth', 9)], old));
      const ahead = await follow(one);
      const telling = ahead.apply(shown([written('new', 5)], now));
      for (let turn = 0; turn < wait; turn++) await new Promise((resolve) => setTimeout(resolve, 0.5));
      await behind.apply(shown([written('tenth', 10)]));
      await telling;
      await ahead.apply(caughtUp(5, now));
      expect(await at(lost), `${wait} turns later`).toEqual(['new']);
    }
  });
});
