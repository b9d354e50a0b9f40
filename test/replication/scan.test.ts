import { describe, expect, it } from 'vitest';
import { everything, type Filter } from '../../src/model/filter.ts';
import { emptyLedgerState } from '../../src/replication/ledger-state.ts';
import { Logs } from '../../src/replication/logs.ts';
import { type Scanning, scanRecords } from '../../src/replication/serving/scan.ts';
import type { RecordRange, Snapshot } from '../../src/store/store.ts';
import { live, namespaceA, namespaceB } from '../contract/sample-records.ts';
import { MemoryDisk } from '../support/memory-store.ts';

const samples = [
  live({ key: 'a/1', sequence: 1 }),
  live({ key: 'a/2', sequence: 2 }),
  live({ key: 'b', sequence: 3 }),
  live({ key: 'a/1', sequence: 4, namespace: namespaceB }),
  live({ key: 'c', sequence: 5, namespace: namespaceB }),
];

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
  const scanning: Scanning = {
    snapshot,
    state: emptyLedgerState,
    logs: new Logs(),
    shape: { filter, values: { kind: 'all' }, laidOut: new WeakMap() },
    generation: 'g',
    bounds: { scanRecordsMax: 2, scanBytesMax: 1_000_000 },
  };
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
