import { ClassicLevel } from 'classic-level';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expireInPlace, headOf, type Record } from '../../src/model/record.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { endedAtSeconds, type Store } from '../../src/store/store.ts';
import { live, namespaceA, noise, sampleSeconds, tombstone } from '../contract/sample-records.ts';
import { commit } from '../contract/store-driver.ts';
import { makeFolder } from './level-folder.ts';

const keys = ['a', 'a\0', 'b/', 'b/\u{1f600}'];
const sizes = [0, 10, 4096, 4097, 524_288, 524_289, 1_200_000];

interface Step {
  readonly key: string;
  readonly kind: 'put' | 'delete' | 'expire' | 'remove';
  readonly bytes: number;
  readonly expires: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom(...keys),
  kind: fc.constantFrom('put', 'put', 'delete', 'expire', 'remove'),
  bytes: fc.constantFrom(...sizes),
  expires: fc.boolean(),
});

/** Takes the steps, each key at most once a batch; gives what should be held in the end. */
async function take(store: Store, batches: readonly (readonly Step[])[]): Promise<Map<string, Record>> {
  const held = new Map<string, Record>();
  let sequence = 0;
  for (const batch of batches) {
    const puts: Record[] = [];
    const removals: Record[] = [];
    for (const { key, kind, bytes, expires } of batch) {
      sequence++;
      const before = held.get(key);
      const expiry = expires ? { expiresAt: sampleSeconds + sequence } : {};
      if (kind === 'put') puts.push(live({ key, sequence, value: noise(bytes, sequence), ...expiry }));
      else if (kind === 'delete') puts.push(tombstone({ key, sequence }));
      else if (before === undefined) continue;
      else if (kind === 'remove') removals.push(before);
      else if (before.kind === 'live') puts.push(expireInPlace(before));
    }
    await commit(store, { puts, removals });
    for (const { key } of removals) held.delete(key);
    for (const record of puts) held.set(record.key, record);
  }
  return held;
}

/** How many rows of each table these records take. */
function rowsExpected(records: Iterable<Record>): globalThis.Record<string, number> {
  const rows = { r: 0, l: 0, e: 0, g: 0, v: 0 };
  for (const record of records) {
    rows.r++;
    rows.l++;
    const head = headOf(record);
    if (endedAtSeconds(head) !== undefined) rows[record.kind === 'live' ? 'e' : 'g']++;
    if (head.kind === 'live' && head.valueBytes > 4096) rows.v += Math.ceil(head.valueBytes / 524_288);
  }
  return rows;
}

async function rowsFound(path: string): Promise<globalThis.Record<string, number>> {
  const rows: globalThis.Record<string, number> = { r: 0, l: 0, e: 0, g: 0, v: 0 };
  const database = new ClassicLevel(path);
  for await (const key of database.keys()) {
    const table = key.slice(0, 1);
    if (table in rows) rows[table] = (rows[table] ?? 0) + 1;
    else expect(['s', 'm']).toContain(table);
  }
  await database.close();
  return rows;
}

describe('the layout on LevelDB', () => {
  it('holds, after any history, just the rows of what is held: no orphan of a log, an index or a value', async () => {
    const batch = fc.uniqueArray(step, { selector: ({ key }) => key, minLength: 1, maxLength: keys.length });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 8 }), async (batches) => {
        const folder = await makeFolder();
        const store = await openLevelStore(folder.path);
        const held = await take(store, batches);
        await store.close();
        expect(await rowsFound(folder.path)).toEqual(rowsExpected(held.values()));
        await folder.remove();
      }),
      { numRuns: 40 },
    );
  });

  it('gives the disk back what a removed namespace took, at once and not with some later write', async () => {
    const folder = await makeFolder();
    // Small, so that the records are in tables before they go, as they are in a store that is no test's.
    const store = await openLevelStore(folder.path, { writeBufferBytes: 1_000_000 });
    const records = Array.from({ length: 8 }, (_, i) => {
      return live({ key: `k${i}`, sequence: i + 1, value: noise(1_000_000, i) });
    });
    for (const record of records) await commit(store, { puts: [record] });
    await commit(store, { removals: records });
    expect(await store.approximateBytes()).toBeGreaterThan(4_000_000);
    await store.reclaim(namespaceA);
    expect(await store.approximateBytes()).toBeLessThan(1_000_000);
    await store.close();
    await folder.remove();
  });
});
