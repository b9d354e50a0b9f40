import { describe, expect, it } from 'vitest';
import type { Epochs } from '../../src/model/epoch.ts';
import { everything } from '../../src/model/filter.ts';
import { namespaceKey, registryNamespace } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import type { Record } from '../../src/model/record.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import type { Peering } from '../../src/replication/peering.ts';
import { Replica } from '../../src/replication/replica.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { live, namespaceA } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const lost = 'aaaaaaaaaaaaaaaa' as LogId;
const heir = 'bbbbbbbbbbbbbbbb' as LogId;

function at(record: Record, origin: LogId, sequence: number): Record {
  return { ...record, position: { origin, sequence } };
}

function vector(components: { readonly [origin: string]: number }): ReadonlyMap<LogId, number> {
  return new Map(Object.entries(components) as Array<[LogId, number]>);
}

function step(components: { readonly [origin: string]: number }, epochs?: Epochs) {
  const none = vector({});
  return { vector: vector(components), floor: none, settled: none, ...(epochs === undefined ? {} : { epochs }) };
}

const opened = {
  kind: 'opened',
  node: { name: 'server', role: 'edge', id: 'cccccccccccccccc', region: 'r' },
  nonce: 'n',
  clusterId: 'c',
  generation: 'g',
  wallMs: 0,
} as const;

async function copy() {
  const store = new MemoryDisk().open();
  const clock = systemClock;
  const observer = silentReplicationObserver;
  const ledger = await Ledger.open({ ...originDefaults, store, clock, observer });
  const replica = await Replica.open({ ledger, clock, observer, part: 'copy', filter: everything, onResync: () => {} });
  await replica.start();
  await replica.opened(opened);
  const held = async (key: string) => (await store.read({ namespace: namespaceA, key }))?.position;
  return { ledger, replica, held };
}

async function peer(mustBeginAnew: () => boolean, heard: Array<ReadonlyMap<LogId, number>> = []) {
  const store = new MemoryDisk().open();
  const observer = silentReplicationObserver;
  const ledger = await Ledger.open({ ...originDefaults, store, clock: systemClock, observer });
  const peering: Peering = {
    progressName: 'peer',
    mustBeginAnew,
    onSwept: () => {},
    settled: (_covered, before, { vector: theirs }) => {
      heard.push(theirs);
      return before;
    },
    adopt: async () => {},
    overwritten: () => {},
    check: () => {},
    mayTake: () => {},
  };
  const options = {
    ledger,
    clock: systemClock,
    observer,
    part: 'peer',
    filter: everything,
    onResync: () => {},
    peering,
  };
  const replica = await Replica.open(options);
  await replica.start();
  await replica.opened(opened);
  return { replica };
}

describe('a copy', () => {
  const titled = { title: 'ns', home: lost };
  const namespace = live({
    namespace: registryNamespace,
    key: namespaceKey(namespaceA),
    sequence: 1,
    value: Buffer.from(JSON.stringify(titled)),
  });

  it('does not take a namespace for dead of which a sweep removed what was adopted elsewhere', async () => {
    const { replica, held, ledger } = await copy();
    await replica.apply({ kind: 'changes', records: [at(namespace, lost, 19)] });
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 19 }) });
    // At a server that knows of the removal, but not yet of what others adopted.
    await replica.apply({
      kind: 'resync',
      reason: 'retired',
      vector: vector({ [lost]: 16 }),
      finals: vector({ [lost]: 16 }),
    });
    await replica.apply({ kind: 'changes', records: [], range: {} });
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 16 }) });
    expect(ledger.registry.isDead(namespaceA)).toBe(false);
    const data = at(live({ key: 'k', sequence: 2 }), heir, 2);
    const records = [at(namespace, heir, 1), data];
    await replica.apply({ kind: 'changes', records, step: step({ [lost]: 16, [heir]: 2 }) });
    expect(await held('k')).toEqual(data.position);
  });

  it('takes a namespace for dead that a sweep removed and the server had known', async () => {
    const { replica, ledger } = await copy();
    await replica.apply({ kind: 'changes', records: [at(namespace, lost, 15)] });
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 15 }) });
    await replica.apply({ kind: 'resync', reason: 'below-floor', vector: vector({ [lost]: 16 }), finals: vector({}) });
    await replica.apply({ kind: 'changes', records: [], range: {} });
    expect(ledger.registry.isDead(namespaceA)).toBe(true);
  });

  const first = { epoch: 1, first: 1 };

  it('takes nothing of a life that was lost, from a server that has yet to hear of the opening behind it', async () => {
    const { replica, held } = await copy();
    const openings = new Map([[lost, [first, { epoch: 2, first: 21 }]]]);
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 8 }, openings) });
    await replica.opened(opened);
    const behind = new Map([[lost, [first]]]);
    const before = at(live({ key: 'before', sequence: 2 }), lost, 20);
    await replica.apply({ kind: 'changes', records: [before], epochs: behind });
    const after = at(live({ key: 'after', sequence: 3 }), lost, 21);
    await replica.apply({ kind: 'changes', records: [after], token: 'passed' });
    await expect(replica.apply({ kind: 'caught-up', ...step({ [lost]: 20 }, behind) })).rejects.toMatchObject({
      details: { reason: 'lost-life' },
    });
    expect(await held('after')).toBe(undefined);
    // What was left out is asked for again.
    expect(await replica.start()).not.toHaveProperty('token');
    await replica.opened(opened);
    const covering = { kind: 'caught-up', ...step({ [lost]: 25 }, behind) } as const;
    await expect(replica.apply(covering)).rejects.toMatchObject({ details: { reason: 'lost-life' } });
    await replica.opened(opened);
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 20 }, behind) });
    expect(await held('before')).toEqual(before.position);
  });

  it('takes what is shown while it claims nothing, whatever openings it knew', async () => {
    const { replica, held } = await copy();
    const ours = new Map([[lost, [first, { epoch: 2, first: 101 }]]]);
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 101 }, ours) });
    await replica.opened(opened);
    const vectors = { vector: vector({ [lost]: 201 }), finals: vector({}) };
    await replica.apply({ kind: 'resync', reason: 'unknown-epoch', ...vectors });
    // A later image of the disk was put back than the one before.
    const theirs = new Map([[lost, [first, { epoch: 3, first: 201 }]]]);
    const shown = at(live({ key: 'shown', sequence: 4 }), lost, 150);
    await replica.apply({ kind: 'changes', records: [shown], epochs: theirs });
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 201 }, theirs) });
    expect(await held('shown')).toEqual(shown.position);
  });

  it('begins anew where the server knows how the log went on, and never heard of what is covered here', async () => {
    const { replica } = await copy();
    const ours = new Map([[lost, [first, { epoch: 2, first: 29 }]]]);
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 32 }, ours) });
    await replica.opened(opened);
    const theirs = new Map([[lost, [first, { epoch: 3, first: 21 }]]]);
    const told = { kind: 'changes', records: [], epochs: theirs } as const;
    await expect(replica.apply(told)).rejects.toMatchObject({ details: { reason: 'begins-anew' } });
    expect(await replica.start()).toEqual({ kind: 'partial', token: 'none' });
  });
});

describe('an origin that follows another', () => {
  it('goes on from what it covers where another sweep stood in for the one that broke off (R21)', async () => {
    const marked = { sweep: true };
    const { replica } = await peer(() => marked.sweep);
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 5 }) });
    await replica.apply({ kind: 'resync', reason: 'below-floor', vector: vector({ [lost]: 9 }), finals: vector({}) });
    await replica.apply({ kind: 'changes', records: [], token: 'half' });
    expect(replica.isSweeping).toBe(true);
    expect(await replica.start()).toEqual({ kind: 'partial', token: 'none' });
    marked.sweep = false;
    const cursor = new Map([[lost, { sequence: 5, epoch: undefined }]]);
    expect(await replica.start()).toEqual({ kind: 'cursor', cursor });
    expect(replica.isSweeping).toBe(false);
  });

  it('counts what a step says of the peer once it takes the step, not before (R19)', async () => {
    const heard: Array<ReadonlyMap<LogId, number>> = [];
    const { replica } = await peer(() => false, heard);
    await replica.apply({ kind: 'caught-up', ...step({ [lost]: 5 }, new Map([[lost, [{ epoch: 1, first: 1 }]]])) });
    const other = new Map([
      [
        lost,
        [
          { epoch: 1, first: 1 },
          { epoch: 2, first: 3 },
        ],
      ],
    ]);
    const refused = replica.apply({ kind: 'caught-up', ...step({ [lost]: 7 }, other) });
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(heard).toEqual([vector({ [lost]: 5 })]);
  });
});
