import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Edge } from '../../src/edge/edge.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { type AuditDifference, silentEdgeObserver } from '../../src/edge/observer.ts';
import type { RecordKey } from '../../src/model/key.ts';
import type { LiveRecord, Record } from '../../src/model/record.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { MemoryDisk, type MemoryStore } from '../support/memory-store.ts';
import { aCall, Chain, covering, get, isLive, put, textOf, until } from './chain.ts';

let chain: Chain;
let origin: Origin;
let edge: Edge;
let copyStore: MemoryStore;
let cacheStore: MemoryStore;
let key: RecordKey;
let compared: number;
let differences: AuditDifference[];

beforeEach(async () => {
  chain = new Chain();
  compared = 0;
  differences = [];
  origin = await chain.origin('o');
  const { namespace } = await origin.create('ns', aCall());
  key = { namespace: namespace.id, key: 'k' };
  await put(origin, 'k', 'true');
  await put(origin, 'other', 'untouched');
});

afterEach(() => chain.close());

async function opened(replicate: readonly string[]): Promise<void> {
  copyStore = new MemoryDisk().open();
  cacheStore = new MemoryDisk().open();
  edge = await chain.edge('e', [origin], {
    replicate,
    copyStore,
    cacheStore,
    audit: { ...edgeDefaults.audit, everyMs: 5 },
    edgeObserver: {
      ...silentEdgeObserver,
      audited: () => compared++,
      auditDiffered: (difference) => differences.push(difference),
    },
  });
  await isLive(edge);
}

/** Changes what the disk holds of the key, as no code of ours would. */
async function corrupt(store: MemoryStore, change: (record: LiveRecord) => Record | undefined): Promise<void> {
  const record = await store.read(key);
  const [held] = await store.heads([key]);
  if (record?.kind !== 'live' || held === undefined) throw new Error('nothing is held');
  const changed = change(record);
  const puts = changed === undefined ? [] : [{ record: changed, held }];
  await store.commit({ puts, removals: changed === undefined ? [held] : [], meta: new Map(), sync: true });
}

const text = (record: Record | undefined) =>
  record?.kind === 'live' ? Buffer.from(record.value).toString() : record?.kind;

describe('the audit of an edge', () => {
  it('finds a copied value that is not what was written, tells both sides, and takes what the upstream holds', async () => {
    await opened(['ns']);
    await corrupt(copyStore, (record) => ({ ...record, value: Buffer.from('rot') }));
    expect(textOf(await get(edge, 'k'))).toBe('rot');
    await until(() => differences.length > 0);
    const [difference] = differences;
    expect([text(difference?.held), text(difference?.found), difference?.repaired]).toEqual(['rot', 'true', true]);
    expect(difference).toMatchObject({ scope: 'copy', key, responder: 'o' });
    expect(textOf(await get(edge, 'k'))).toBe('true');
  });

  it('finds a record that a copy has lost', async () => {
    await opened(['ns']);
    await corrupt(copyStore, () => undefined);
    expect(textOf(await get(edge, 'k'))).toBeUndefined();
    await until(() => differences.length > 0);
    expect([text(differences[0]?.held), text(differences[0]?.found)]).toEqual([undefined, 'true']);
    expect(textOf(await get(edge, 'k'))).toBe('true');
  });

  it('finds a record that rose from the dead in a copy', async () => {
    await opened(['ns']);
    const record = await copyStore.read(key);
    const mutations = [{ kind: 'delete' as const, key: 'k' }];
    const { covered } = await origin.write({ namespace: 'ns', mutations, session: emptySession }, aCall());
    await covering(edge, covered);
    const [held] = await copyStore.heads([key]);
    if (record === undefined || held === undefined) throw new Error('nothing is held');
    await copyStore.commit({ puts: [{ record, held }], removals: [], meta: new Map(), sync: true });
    await until(() => differences.length > 0);
    expect([text(differences[0]?.held), text(differences[0]?.found)]).toEqual(['true', 'tombstone']);
    expect(textOf(await get(edge, 'k'))).toBeUndefined();
  });

  it('has a cache forget what differs, and load it again', async () => {
    await opened([]);
    await until(async () => (await get(edge, 'k')).source === 'cache');
    await corrupt(cacheStore, (record) => ({ ...record, value: Buffer.from('rot') }));
    await until(() => differences.length > 0);
    expect([text(differences[0]?.held), differences[0]?.repaired]).toEqual(['rot', true]);
    expect(await cacheStore.read(key)).toBeUndefined();
    expect(textOf(await get(edge, 'k'))).toBe('true');
  });

  it('finds nothing while writes, deletions and expiries go on', async () => {
    await opened(['ns']);
    for (let i = 0; i < 60; i++) {
      const mutations = [{ kind: 'delete' as const, key: `k${(i + 1) % 5}` }];
      await put(i % 2 === 0 ? origin : edge, `k${i % 5}`, `v${i}`);
      await origin.write({ namespace: 'ns', mutations, session: emptySession }, aCall());
      await get(edge, `k${i % 5}`);
    }
    const before = compared;
    await until(() => compared > before + 10);
    expect(differences).toEqual([]);
  });
});
