import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordKey } from '../../src/model/key.ts';
import { FilledRows } from '../../src/store/level/filled-rows.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { live, namespaceA, namespaceB } from '../contract/sample-records.ts';
import { commit } from '../contract/store-driver.ts';
import { makeFolder } from './level-folder.ts';

const anyKey = fc.record({
  namespace: fc.constantFrom(namespaceA, namespaceB),
  key: fc.constantFrom('a', 'aa', 'b', 'z', '\u{10ffff}', '\uffff', 'é'),
});
const anyKeys = fc.uniqueArray(anyKey, { selector: ({ namespace, key }) => namespace + key, maxLength: 3 });

describe('what is known of a store that is filled from nothing', () => {
  it('never lacks a key that was put', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyKeys, anyKeys), { maxLength: 6 }), (rounds) => {
        const filled = new FilledRows(true);
        const put: RecordKey[] = [];
        for (const [puts, asked] of rounds) {
          const was = ({ namespace, key }: RecordKey) =>
            put.some((one) => one.namespace === namespace && one.key === key);
          if (filled.lacks(asked)) expect(asked.filter(was)).toEqual([]);
          filled.put(puts);
          put.push(...puts);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('lacks what lies behind all, and is sure of nothing else', () => {
    const key = (name: string) => ({ namespace: namespaceA, key: name });
    const filled = new FilledRows(true);
    filled.put([key('b'), key('a')]);
    expect([filled.lacks([key('c')]), filled.lacks([key('c'), key('aa')]), filled.lacks([key('b')])]).toEqual([
      true,
      false,
      false,
    ]);
    expect(new FilledRows(false).lacks([key('c')])).toBe(false);
  });
});

describe('a store that is filled in the order of keys', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  beforeEach(async () => {
    folder = await makeFolder();
  });
  afterEach(() => folder.remove());

  const at = (sequence: number) => live({ key: `k${String(sequence).padStart(3, '0')}`, sequence });

  it('tells the heads of what it holds, while it is filled, after a restart, and once it was erased', async () => {
    let store = await openLevelStore(folder.path);
    const held = async (...sequences: number[]) => {
      return (await store.heads(sequences.map(at))).map((head) => head?.position.sequence);
    };
    await commit(store, { puts: [at(1), at(2)] });
    await commit(store, { puts: [at(3), at(5)] });
    expect(await held(1, 2, 3, 4, 5, 6)).toEqual([1, 2, 3, undefined, 5, undefined]);
    await commit(store, { puts: [at(4)] });
    expect(await held(4)).toEqual([4]);
    await store.close();
    store = await openLevelStore(folder.path);
    await commit(store, { puts: [at(9)] });
    expect(await held(5, 9, 10)).toEqual([5, 9, undefined]);
    await store.erase();
    expect(await held(5, 9)).toEqual([undefined, undefined]);
    await commit(store, { puts: [at(5)] });
    await store.reopen();
    expect(await held(5, 9)).toEqual([5, undefined]);
    await store.close();
  });

  it('looks for none of what comes behind all that it holds', async () => {
    const store = await openLevelStore(folder.path);
    await commit(store, { puts: [at(1)] });
    const looks = [vi.spyOn(ClassicLevel.prototype, 'getSync'), vi.spyOn(ClassicLevel.prototype, 'getMany')];
    for (let n = 2; n < 200; n += 40) {
      expect(await store.heads(Array.from({ length: 40 }, (_, i) => at(n + i)))).toEqual(Array(40).fill(undefined));
    }
    expect(looks.map(({ mock }) => mock.calls.length)).toEqual([0, 0]);
    vi.restoreAllMocks();
    await store.close();
  });

  it('looks for all once its count of commits lay in a block that is damaged now', async () => {
    let store = await openLevelStore(folder.path);
    for (let n = 1; n <= 100; n++) await commit(store, { puts: [noisy(n)] }); // Not synced, as a copy is filled.
    await store.close();
    await (await openLevelStore(folder.path)).close(); // The log becomes a table.
    expect(await damageBlockWith('scommits')).toBe(1);
    store = await openLevelStore(folder.path);
    expect((await store.read(noisy(5)))?.position.sequence).toBe(5);
    expect((await store.heads([noisy(5)]))[0]?.position.sequence).toBe(5);
    await store.close();
  });

  const noisy = (sequence: number) => live({ key: at(sequence).key, sequence, value: randomBytes(300) });

  /** Flips a bit of it in each table; tells how many had it. */
  async function damageBlockWith(text: string): Promise<number> {
    let damaged = 0;
    for (const name of (await readdir(folder.path)).filter((each) => each.endsWith('.ldb'))) {
      const bytes = await readFile(join(folder.path, name));
      const place = bytes.indexOf(text);
      if (place < 0) continue;
      bytes[place] = (bytes[place] ?? 0) ^ 1;
      await writeFile(join(folder.path, name), bytes);
      damaged++;
    }
    return damaged;
  }

  it('knows what was lost elsewhere as damaged, and not as absent', async () => {
    const store = await openLevelStore(folder.path);
    const { namespace, key, position } = at(7);
    const lost = [{ namespace, key, position, held: undefined }];
    await store.commit({ puts: [], removals: [], lost, meta: new Map(), sync: false });
    const damaged: string[] = [];
    await store.heads([at(7)], (each) => damaged.push(each.key));
    expect(damaged).toEqual([key]);
    await store.close();
  });
});
