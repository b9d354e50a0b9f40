import { beforeEach, describe, expect, it } from 'vitest';
import { registryNamespace } from '../../src/model/namespace.ts';
import { emptyVector } from '../../src/model/version-vector.ts';
import type { RegistryRepair } from '../../src/origin/registry-repair.ts';
import { decodeLedgerState, encodeLedgerState, ledgerStateName } from '../../src/replication/ledger-state.ts';
import { OriginGroup } from './origin-group.ts';

let group: OriginGroup;
let told: RegistryRepair[];

beforeEach(() => {
  told = [];
  group = new OriginGroup({ registryRepair: (repair) => told.push(repair), registryRepairMsMax: 2000 });
});

/** The keys of the registry that the origin holds. */
function registryKeys(name: string): readonly string[] {
  const records = [...group.disk(name).visible.records.values()];
  return records.filter(({ namespace }) => namespace === registryNamespace).map(({ key }) => key);
}

/** Its process is down, and these are damaged on its disk. */
function damage(name: string, ...keys: readonly string[]): void {
  group.crash(name);
  for (const key of keys) group.disk(name).damage({ namespace: registryNamespace, key });
}

async function registryOf(name: string): Promise<unknown> {
  const origin = group.at(name);
  const [namespaces, members] = await group.until(Promise.all([origin.namespaces(), origin.members(group.call(5000))]));
  return { namespaces, members: members.map(({ id, name: label }) => `${id} ${label}`).sort() };
}

describe('an origin with peers', () => {
  beforeEach(async () => {
    await group.open('a');
    await group.open('b', ['a']);
    await group.ready('b');
    group.crash('a');
    await group.open('a', ['b']);
    await group.ready('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.until(group.at('a').create('gone', group.call()));
    await group.until(group.at('a').remove('gone', group.call()));
    await group.put('a', 'k', 'first');
    await group.settled('a', 'b');
  });

  it('starts whichever record of its registry is damaged, with what a peer gives back', async () => {
    const keys = registryKeys('a');
    expect(keys.length).toBeGreaterThan(6);
    for (const key of keys) {
      // Those of earlier openings are written anew meanwhile.
      await group.settled('a', 'b');
      const before = await registryOf('a');
      damage('a', key);
      told.length = 0;
      await group.reopen('a');
      await group.ready('a');
      expect(told, key).toEqual([
        { kind: 'asking', keys: [key], addresses: ['b'] },
        { kind: 'repaired', keys: [key] },
      ]);
      expect(await registryOf('a'), key).toEqual(before);
      await group.put('a', 'k', key);
      await group.alike(['a', 'b'], 'k', key);
      expect((await group.at('a').status()).storage?.damagedRecords).toBe(0);
    }
    expect([group.anew('a'), group.replaced('a'), group.replaced('b')]).toEqual([undefined, undefined, undefined]);
  });

  it('starts where all of its registry is damaged, if its peers are configured', async () => {
    await group.settled('a', 'b');
    damage('b', ...registryKeys('b'));
    await group.reopen('b');
    await group.ready('b');
    expect(await registryOf('b')).toEqual(await registryOf('a'));
    await group.put('b', 'k', 'after');
    await group.alike(['a', 'b'], 'k', 'after');
  });

  it('says which records are lost where no peer has them, and goes on without them once that is accepted', async () => {
    group.cut('a', 'b');
    await group.until(group.at('a').create('of a alone', group.call()));
    await group.put('a', 'k', 'of a alone', { namespace: 'of a alone' });
    group.mend('a', 'b');
    const created = registryKeys('a').filter((key) => key.includes('of a alone'));
    damage('a', ...created);
    await expect(group.reopen('a')).rejects.toMatchObject({
      code: 'DATA_LOSS',
      details: { reason: 'registry-damaged' },
    });
    await expect(group.reopen('a')).rejects.toThrow(/"title\/of a alone".*b: it lacks 1 of them.*--accept-loss/);
    await group.open('a', ['b'], { acceptLoss: true });
    await group.ready('a');
    expect(told.at(-1)).toEqual({ kind: 'dropped', keys: created });
    expect(await group.text('a', 'k')).toBe('first');
  });

  it('takes a record from a peer that has it and has yet to cover it, since what would follow waits for this origin', async () => {
    await group.until(group.at('a').create('late', group.call()));
    await group.settled('a', 'b');
    const keys = registryKeys('a').filter((key) => key === 'title/late');
    damage('a', ...keys);
    group.crash('b');
    const disk = group.disk('b');
    const state = decodeLedgerState(disk.synced.meta.get(ledgerStateName));
    const meta = new Map(disk.synced.meta).set(ledgerStateName, encodeLedgerState({ ...state, covered: emptyVector }));
    disk.synced = { ...disk.synced, meta };
    await group.reopen('b');
    await group.reopen('a');
    await group.ready('a');
    expect(told).toContainEqual({ kind: 'repaired', keys });
    await group.put('a', 'k', 'after', { namespace: 'late' });
  });

  it('ends at once where its own disk fails, rather than take that for a failure of its peers', async () => {
    damage('a', 'title/ns');
    group.disk('a').nextCommitFails = 'lost';
    await expect(group.reopen('a')).rejects.toThrow('the disk failed');
    await group.reopen('a');
    await group.ready('a');
    expect(await group.text('a', 'k')).toBe('first');
  });

  it('waits for a peer that is away, as long as it may', async () => {
    damage('a', ...registryKeys('a').filter((key) => key.startsWith('namespace/')));
    group.cut('a', 'b');
    const opening = group.reopen('a');
    await group.pass(900);
    group.mend('a', 'b');
    await opening;
    await group.ready('a');
    expect(await group.text('a', 'k')).toBe('first');
  });
});

describe('an origin that is alone', () => {
  beforeEach(async () => {
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.put('a', 'k', 'first');
  });

  it('refuses to start at once, and names the ways on', async () => {
    damage('a', 'title/ns');
    const refusal = /^1 records.*"title\/ns"; no other origin is known.*--peer.*backup.*check --salvage.*--accept-loss/;
    await expect(group.reopen('a')).rejects.toThrow(refusal);
    expect(told).toEqual([]);
  });

  it('goes on without any of them where that is accepted', async () => {
    const keys = registryKeys('a');
    for (const key of keys) {
      damage('a', key);
      await group.reopen('a').catch(() => {});
      await group.open('a', [], { acceptLoss: true });
      await group.ready('a');
      await group.until(group.at('a').create(`after ${key}`, group.call()));
      await group.put('a', 'k', key, { namespace: `after ${key}` });
    }
    expect((await group.at('a').status()).storage?.damagedRecords).toBe(0);
  });
});

describe('an origin that was about to remove a namespace', () => {
  it('removes what it still holds of a namespace whose deletion was damaged here and is purged at the others', async () => {
    group = new OriginGroup({ registryRepair: (repair) => told.push(repair), tombstoneRetentionMs: 1000 });
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.open('b', ['a']);
    await group.ready('b');
    const { id } = await group.until(group.at('b').find('ns', group.call()));
    for (const key of ['k', 'k2']) await group.put('b', key, 'value');
    await group.settled('a', 'b');
    const held = [...group.disk('a').synced.records].filter(([, { namespace }]) => namespace === id);
    expect(held).toHaveLength(2);
    await group.until(group.at('b').remove('ns', group.call()));
    await group.settled('a', 'b');
    const end = [...group.disk('a').synced.records].filter(([, { key }]) => key === `namespace/${id}`);
    expect(end.map(([, { kind }]) => kind)).toEqual(['tombstone']);
    for (let waits = 0; waits < 100 && registryKeys('b').includes(`namespace/${id}`); waits++) await group.pass(1000);
    expect(registryKeys('b')).not.toContain(`namespace/${id}`);
    group.crash('a');
    // As if this one had been about to remove them.
    const disk = group.disk('a');
    disk.synced = { ...disk.synced, records: new Map([...disk.synced.records, ...held, ...end]) };
    damage('a', `namespace/${id}`);
    disk.damage({ namespace: id, key: 'k2' });
    await group.reopen('a');
    await group.ready('a');
    expect(told.at(-1)).toEqual({ kind: 'repaired', keys: [`namespace/${id}`] });
    expect([...disk.synced.records.values()].filter(({ namespace }) => namespace === id)).toEqual([]);
    expect((await group.at('a').status()).storage?.damagedRecords).toBe(0);
  });
});
