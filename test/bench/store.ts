/**
 * How fast is the store on LevelDB? Puts (synced, in batches of several sizes), reads of one record, scans in record
 * order and by the log, of records with values of 100 bytes. Prints medians of several runs with their spread.
 *
 *     npx tsc -p test/tsconfig.bench.json && node dist/bench/test/bench/store.js [records] [runs]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import type { LiveRecord } from '../../src/model/record.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';

const records = Number(process.argv[2] ?? 200_000);
const runs = Number(process.argv[3] ?? 5);
const namespace = 'ab'.repeat(16) as NamespaceId;
const log = 'cd'.repeat(8) as LogId;

/** Keys in an order of their own, so that the log does not happen to be in record order. */
function recordAt(index: number): LiveRecord {
  return {
    kind: 'live',
    namespace,
    key: `user/${String((index * 7919) % records).padStart(9, '0')}`,
    value: new Uint8Array(100).fill(index & 0xff),
    stamp: makeStamp({ wallMs: 1_700_000_000_000 + index, counter: 0, log }),
    position: { log, sequence: index + 1 },
  };
}

async function putAll(store: Store, batchRecords: number, count: number, sync: boolean): Promise<void> {
  for (let start = 0; start < count; start += batchRecords) {
    const puts = Array.from({ length: Math.min(batchRecords, count - start) }, (_, offset) => ({
      record: recordAt(start + offset),
      held: undefined,
    }));
    await store.commit({ puts, removals: [], meta: new Map([['state', Buffer.alloc(200)]]), sync });
  }
}

async function readAll(store: Store, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    if ((await store.read(recordAt(index * 31 + 7))) === undefined) throw new Error('a record is missing');
  }
}

async function drain(pages: AsyncIterable<readonly unknown[]>): Promise<number> {
  let count = 0;
  for await (const page of pages) count += page.length;
  return count;
}

const measured = new Map<string, number[]>();

async function measure(name: string, count: number, run: () => Promise<unknown>): Promise<void> {
  const startedMs = performance.now();
  await run();
  const perSecond = (count / (performance.now() - startedMs)) * 1000;
  measured.set(name, [...(measured.get(name) ?? []), perSecond]);
}

async function runOnce(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'meridian-bench-'));
  const withStore = async (name: string, use: (store: Store) => Promise<void>) => {
    const store = await openLevelStore(join(folder, name));
    await use(store).finally(() => store.close());
  };
  for (const size of [1, 16, 128, 512]) {
    const count = Math.min(records, size * 400);
    await withStore(`batch-${size}`, (store) =>
      measure(`synced puts/s, ${size} a batch`, count, () => putAll(store, size, count, true)),
    );
  }
  await withStore('all', async (store) => {
    await measure('unsynced puts/s, 512 a batch', records, () => putAll(store, 512, records, false));
    await measure('reads/s, one after the other', records / 4, () => readAll(store, records / 4));
    const heads = Array.from({ length: 10_000 }, (_, index) => recordAt(index));
    await measure('heads/s, 10,000 at once', heads.length, () => store.heads(heads));
    await measure('heads/s, 16 at once', heads.length, async () => {
      for (let start = 0; start < heads.length; start += 16) await store.heads(heads.slice(start, start + 16));
    });
    const snapshot = store.snapshot();
    await measure('records/s, scan in record order', records, () => drain(snapshot.records({})));
    await measure('records/s, scan of the log', records, () => drain(snapshot.log(log, 1)));
    await snapshot.close();
  });
  await rm(folder, { recursive: true });
}

for (let run = 0; run < runs; run++) await runOnce();
for (const [name, figures] of measured) {
  const sorted = figures.sort((a, b) => a - b).map(Math.round);
  const median = sorted[Math.floor(sorted.length / 2)];
  console.log(`${name.padEnd(36)} ${String(median).padStart(9)}   (${sorted[0]} to ${sorted.at(-1)})`);
}
