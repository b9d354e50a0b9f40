import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapKey } from '../../src/model/key.ts';
import { checkData } from '../../src/node/check-data.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { namespaceA } from '../contract/sample-records.ts';
import { change, chooseFile, makeSample, onCopy, type Sample } from '../store/damage/damaged-copy.ts';
import { makeFolder } from '../store/level-folder.ts';
import { SeededRandom } from '../support/seeded-random.ts';

let folder: Awaited<ReturnType<typeof makeFolder>>;
let sample: Sample;

beforeAll(async () => {
  folder = await makeFolder();
  sample = await makeSample(join(folder.path, 'store'), 600);
});

afterAll(() => folder.remove());

/** The values of a salvage, by key. */
async function savedIn(salvage: string): Promise<Map<string, Buffer>> {
  const text = await readFile(join(salvage, `${namespaceA}.ndjson`), 'utf8');
  const lines = text.trimEnd().split('\n');
  return new Map(
    lines.map((line) => {
      const { key, value } = JSON.parse(line) as { readonly key: string; readonly value: string };
      return [mapKey(namespaceA, key), Buffer.from(value, 'base64')];
    }),
  );
}

function liveCount(): number {
  return [...sample.records.values()].filter((record) => record?.kind === 'live').length;
}

/** The table in which these bytes stand, and where: undefined where they are still in a log. */
async function tableHolding(path: string, bytes: Uint8Array): Promise<{ path: string; at: number } | undefined> {
  for (const name of (await readdir(path)).filter((file) => file.endsWith('.ldb'))) {
    const at = (await readFile(join(path, name))).indexOf(bytes);
    if (at >= 0) return { path: join(path, name), at };
  }
  return undefined;
}

function expectNothingElse(saved: ReadonlyMap<string, Buffer>): void {
  for (const [name, value] of saved) {
    const record = sample.records.get(name);
    expect(record?.kind === 'live' && Buffer.compare(record.value, value) === 0, name).toBe(true);
  }
}

describe('the check of a stopped node', () => {
  it('finds a whole store whole, and saves every value of it', async () => {
    const salvage = join(folder.path, 'saved');
    const [report] = await checkData(folder.path, salvage);
    expect(report).toMatchObject({ whole: true, store: { acknowledged: 600 }, salvaged: { incomplete: 0 } });
    const saved = await savedIn(join(salvage, 'store'));
    expect(saved.size).toBe(liveCount());
    expectNothingElse(saved);
    expect(existsSync(join(salvage, 'store/scratch'))).toBe(false);
    await expect(checkData(folder.path, salvage), 'a second time').rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('is there already, from an earlier salvage'),
    });
  });

  it('tells what is damaged in tables, saves the rest, and no older version of what is lost', async () => {
    let tried = 0;
    for (const [name, record] of sample.records) {
      if (record?.kind !== 'live' || record.value.length < 9000) continue;
      await onCopy(sample, async (path) => {
        const file = await tableHolding(path, record.value.subarray(0, 512));
        if (file === undefined) return;
        tried++;
        await change(file.path, (bytes) => bytes.fill(0, file.at, file.at + 512));
        const salvage = join(path, 'saved');
        const [report] = await checkData(path, salvage);
        expect(report).toMatchObject({ whole: false, salvaged: { unreadable: [] } });
        expect(report?.salvaged?.incomplete).toBeGreaterThan(0);
        expect(report?.store.damaged).toHaveLength(1);
        const saved = await savedIn(salvage);
        expectNothingElse(saved);
        expect(saved.has(name)).toBe(false);
        expect(saved.size).toBeGreaterThan(liveCount() * 0.7);
      });
    }
    expect(tried).toBeGreaterThan(0);
  });

  it('tells which acknowledged commits a log has lost, and saves what stands behind', async () => {
    await onCopy(sample, async (path) => {
      await change(await chooseFile(path, /^\d+\.log$/, new SeededRandom(1)), (bytes) => bytes.fill(0, 60, 80));
      const salvage = join(path, 'saved');
      const [report] = await checkData(path, salvage);
      expect(report?.store.missing?.through).toBe(600);
      const values = [...sample.records].filter(([, record]) => record?.kind === 'live');
      const sequenceOf = ([, record]: (typeof values)[number]) => record?.position.sequence ?? 0;
      const last = values.sort((x, y) => sequenceOf(x) - sequenceOf(y)).at(-1);
      expect([...(await savedIn(salvage)).keys()]).toContain(last?.[0]);
    });
  });

  it('is refused where a process has the store open, and where there is none', async () => {
    await onCopy(sample, async (path) => {
      const store = await openLevelStore(path);
      if (process.platform === 'linux') {
        await expect(checkData(path, undefined)).rejects.toMatchObject({ details: { reason: 'store-locked' } });
      }
      await store.close();
    });
    const nothing = join(folder.path, 'nothing');
    await expect(checkData(nothing, undefined)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
