import { describe, expect, it } from 'vitest';
import type { Changes } from '../../src/model/feed.ts';
import { everything, type Filter } from '../../src/model/filter.ts';
import type { RecordKey } from '../../src/model/key.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { emptyLedgerState } from '../../src/replication/ledger-state.ts';
import { Logs } from '../../src/replication/logs.ts';
import { LostScan } from '../../src/replication/serving/lost-scan.ts';
import { decodeToken, type Scanning, scanLog, scanRecords } from '../../src/replication/serving/scan.ts';
import type { OnDamaged, RecordRange, Snapshot } from '../../src/store/store.ts';
import { live, logOne, namespaceA, namespaceB } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const samples = [
  live({ key: 'a/1', sequence: 1 }),
  live({ key: 'a/2', sequence: 2 }),
  live({ key: 'b', sequence: 3 }),
  live({ key: 'a/1', sequence: 4, namespace: namespaceB }),
  live({ key: 'c', sequence: 5, namespace: namespaceB }),
];

function scanningOf(snapshot: Snapshot, filter: Filter, taken: boolean): Scanning {
  return {
    snapshot,
    state: emptyLedgerState,
    logs: new Logs(),
    shape: { filter, values: { kind: 'all' }, laidOut: new WeakMap() },
    generation: 'g',
    bounds: { scanRecordsMax: 2, scanBytesMax: 1_000_000 },
    lost: new LostScan(snapshot, { upTo: new Map([[logOne, 5]]), taken }),
  };
}

/** What a scan of the filter shows, and how many records it read for that. */
async function scanned(filter: Filter, after?: { key: string; namespace: typeof namespaceA }) {
  const store = new MemoryDisk().open();
  const puts = samples.map((record) => ({ record, held: undefined }));
  await store.commit({ puts, removals: [], meta: new Map(), sync: true });
  const below = store.snapshot();
  let read = 0;
  const snapshot: Snapshot = Object.assign(Object.create(below) as Snapshot, {
    read: below.read.bind(below),
    async *records(range: RecordRange) {
      for await (const page of below.records(range)) {
        read += page.length;
        yield page;
      }
    },
  });
  const scanning = scanningOf(snapshot, filter, true);
  const shown: string[] = [];
  for await (const { records } of scanRecords(scanning, new Map(), after === undefined ? {} : { after })) {
    shown.push(...records.map(({ namespace, key }) => `${namespace.slice(0, 1)}:${key}`));
  }
  return { shown, read };
}

describe('a scan in record order', () => {
  it('reads no more than what the scope holds, however much else there is', async () => {
    const filter = {
      includes: [
        { namespace: namespaceB, prefix: 'c' },
        { namespace: namespaceA, prefix: 'a/' },
      ],
      excludes: [],
    };
    expect(await scanned(filter)).toEqual({ shown: ['a:a/1', 'a:a/2', 'b:c'], read: 3 });
    expect((await scanned(everything)).read).toBe(samples.length);
  });

  it('goes on behind the key that it is given, in the ranges that lie behind it', async () => {
    const filter = {
      includes: [
        { namespace: namespaceA, prefix: 'a/' },
        { namespace: namespaceB, prefix: '' },
      ],
      excludes: [],
    };
    const behind = (key: string, namespace = namespaceA) => scanned(filter, { namespace, key });
    expect((await behind('a/1')).shown).toEqual(['a:a/2', 'b:a/1', 'b:c']);
    expect((await behind('a/2')).shown).toEqual(['b:a/1', 'b:c']);
    expect((await behind('a/1', namespaceB)).shown).toEqual(['b:c']);
  });
});

it('a token claims no more of a log than its server covers, however much of it was shown (R4)', async () => {
  const store = new MemoryDisk().open();
  const puts = samples.map((record) => ({ record, held: undefined }));
  await store.commit({ puts, removals: [], meta: new Map(), sync: true });
  const scanning = scanningOf(store.snapshot(), everything, true);
  const state = { ...emptyLedgerState, covered: new Map([[logOne, 3]]) };
  const claimed: Array<number | undefined> = [];
  let shown = 0;
  for await (const { records, token = '' } of scanLog({ ...scanning, state }, new Map([[logOne, 1]]))) {
    shown += records.length;
    const place = decodeToken(token, scanning.generation);
    claimed.push(place?.kind === 'log' ? place.cursor.get(logOne) : undefined);
  }
  expect(shown).toBe(4);
  expect(claimed).toEqual([3, 3]);
});

describe('a scan of a store that holds much else', () => {
  const count = 10_000;

  async function all(scan: AsyncIterable<Changes>): Promise<Changes[]> {
    const events: Changes[] = [];
    for await (const event of scan) events.push(event);
    return events;
  }

  async function crowded(): Promise<Scanning> {
    const store = new MemoryDisk().open();
    const other = Array.from({ length: count }, (_, i) => live({ key: `k${i}`, sequence: i + 1 }));
    const wanted = live({ key: 'wanted', sequence: count + 1, namespace: namespaceB });
    const puts = [...other, wanted].map((record) => ({ record, held: undefined }));
    await store.commit({ puts, removals: [], meta: new Map(), sync: true });
    const excludes = [{ namespace: namespaceA, prefix: 'k' }];
    const scanning = scanningOf(store.snapshot(), { includes: [{ namespace: '*', prefix: '' }], excludes }, true);
    return { ...scanning, state: { ...emptyLedgerState, covered: new Map([[logOne, count + 1]]) } };
  }

  it('tells from time to time how far it is in a log', async () => {
    const told: Array<readonly [number, number | undefined]> = [];
    const scanning = await crowded();
    for await (const { records, token = '' } of scanLog(scanning, new Map())) {
      told.push([records.length, decodeToken(token, scanning.generation)?.cursor.get(logOne)]);
    }
    expect(told).toEqual([
      [0, 4096],
      [0, 8192],
      [1, count + 1],
    ]);
  });

  it('tells from time to time behind which key it is, and goes on from there', async () => {
    const scanning = await crowded();
    const [first, ...rest] = await all(scanRecords(scanning, new Map(), {}));
    const last = decodeToken(first?.token ?? '', scanning.generation)?.last;
    expect([first?.records, first?.range?.through, rest.length]).toEqual([[], last, 2]);
    if (last === undefined) throw new Error('no token');
    const again = await all(scanRecords(scanning, new Map(), { after: last }));
    expect(again).toEqual(rest);
  });
});

describe('a scan that comes to records that cannot be read', () => {
  /** @param placed whether the row tells where it stands in the log */
  async function events(
    damaged: readonly RecordKey[],
    { placed = true, taken = true, filter = everything, of = 'records' as 'records' | 'log' } = {},
  ): Promise<readonly Changes[]> {
    const disk = new MemoryDisk();
    const puts = [...samples, live({ key: 'r', sequence: 6, namespace: registryNamespace })];
    const filling = disk.open();
    await filling.commit({
      puts: puts.map((record) => ({ record, held: undefined })),
      removals: [],
      meta: new Map(),
      sync: true,
    });
    for (const key of damaged) disk.damage(key);
    const below = disk.open().snapshot();
    const snapshot: Snapshot = Object.assign(Object.create(below) as Snapshot, {
      read: below.read.bind(below),
      logs: below.logs.bind(below),
      log: below.log.bind(below),
      records: (range: RecordRange, told: OnDamaged) =>
        below.records(range, ({ position, ...key }) =>
          told(placed && position !== undefined ? { ...key, position } : key),
        ),
    });
    const scanning = scanningOf(snapshot, filter, taken);
    const scan = of === 'log' ? scanLog(scanning, new Map()) : scanRecords(scanning, new Map(), {});
    const all: Changes[] = [];
    for await (const event of scan) all.push(event);
    return all;
  }
  const at = (key: string, namespace = namespaceA) => ({ namespace, key });
  const lostIn = (all: readonly Changes[]) =>
    all.flatMap(({ lost }) => lost?.records ?? []).map(({ key, position }) => `${key} ${position.sequence}`);
  const shownIn = (all: readonly Changes[]) => all.flatMap(({ records }) => records.map(({ key }) => key));

  it.each([true, false])(
    'tells of each as lost, in the range that it is of (place known from its row: %s)',
    async (placed) => {
      const all = await events([at('a/2'), at('c', namespaceB)], { placed });
      expect(lostIn(all)).toEqual(['a/2 2', 'c 5']);
      expect(shownIn(all)).toEqual(['r', 'a/1', 'b', 'a/1']);
      for (const { lost, range } of all) {
        if (lost !== undefined) expect(lost.upTo).toEqual(new Map([[logOne, 5]]));
        for (const { key } of lost?.records ?? []) {
          expect([undefined, key].includes(range?.through?.key) || key < (range?.through?.key ?? '')).toBe(true);
          expect(range?.after?.namespace === namespaceA && key <= range.after.key).toBe(false);
        }
      }
    },
  );

  it('tells of each in a scan of the log, in events that are bounded likewise', async () => {
    const all = await events([at('a/1'), at('a/2'), at('b'), at('a/1', namespaceB)], { of: 'log' });
    expect(lostIn(all)).toEqual(['a/1 1', 'a/2 2', 'b 3', 'a/1 4']);
    expect(shownIn(all)).toEqual(['c', 'r']);
    expect(Math.max(...all.map(({ records, lost }) => records.length + (lost?.records.length ?? 0)))).toBe(2);
  });

  it('passes over what is not of its scope', async () => {
    const filter = { includes: [{ namespace: namespaceA, prefix: 'a/' }], excludes: [] };
    expect(lostIn(await events([at('b'), at('a/2')], { filter }))).toEqual(['a/2 2']);
    expect(lostIn(await events([at('b'), at('a/2')], { filter, of: 'log' }))).toEqual(['a/2 2']);
  });

  it.each(['records', 'log'] as const)(
    'ends where the follower cannot be told, or it is of the registry (%s)',
    async (of) => {
      const ends = { code: 'DATA_LOSS', details: { reason: 'damaged-record' } };
      await expect(events([at('b')], { taken: false, of })).rejects.toMatchObject(ends);
      await expect(events([at('r', registryNamespace)], { of })).rejects.toMatchObject(ends);
    },
  );
});
