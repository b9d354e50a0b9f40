import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { headOf } from '../../src/model/record.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import { logOne } from '../contract/sample-records.ts';
import { collect, expectRecord, metaText, withSnapshot } from '../contract/store-driver.ts';
import { makeFolder } from '../store/level-folder.ts';
import { batchOf, keysABatch } from './store-batch.mjs';

const script = fileURLToPath(new URL('store-child.mjs', import.meta.url));
const rounds = 12;

interface Victim {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves with the child's first line. */
  readonly begun: Promise<void>;
}

function start(mode: 'commit' | 'erase', folder: string): Victim {
  const child = spawn(process.execPath, [script, mode, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const begun = new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the child ended without a line')));
    const output = createInterface({ input: child.stdout });
    output.on('line', (line) => {
      lines.push(line);
      resolve();
    });
  });
  return { child, lines, begun };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
}

/** The delays are drawn from a seed, so that a round that fails can be run again, about as it was. */
function delays(seed: number, mostMs: number): number[] {
  let state = seed;
  return Array.from({ length: rounds }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state / 2 ** 31) * mostMs;
  });
}

/** Everything up to the last batch is there, whole, and nothing else. */
async function expectWhole(store: Store, acknowledged: number): Promise<number> {
  const last = Number((await metaText(store, 'n')) ?? 0);
  expect(last).toBeGreaterThanOrEqual(acknowledged);
  const batches = Array.from({ length: Math.min(10, last) }, (_, back) => last - back).reverse();
  const wanted = batches.flatMap(batchOf);
  for (const record of wanted) expectRecord(await store.read(record), record);
  await withSnapshot(store, async (view) => {
    expect((await collect(view.records({}))).length).toBe(wanted.length);
    const sequences = (await collect(view.log(logOne, 0))).map(({ position }) => position.sequence);
    expect(sequences).toEqual(wanted.map(({ position }) => position.sequence));
    expect(await collect(view.ended('live', Number.MAX_SAFE_INTEGER))).toEqual(wanted.map(headOf));
  });
  return last;
}

describe('a store whose process is killed with -9', () => {
  it('has lost no acknowledged write and holds no half commit, at whatever moment it was', async () => {
    const folder = await makeFolder();
    let before = 0;
    for (const delayMs of delays(3, 400)) {
      const { child, lines, begun } = start('commit', folder.path);
      await begun;
      await delay(delayMs);
      await kill(child);
      const acknowledged = Math.max(...lines.map(Number));
      expect(acknowledged).toBeGreaterThan(before);
      const store = await openLevelStore(folder.path);
      before = await expectWhole(store, acknowledged);
      await store.close();
    }
    await folder.remove();
  });

  it('is whole or erased where it was killed while it was erased', async () => {
    const seen = new Set<string>();
    // At once too: however long an erasure takes here, that one is killed in the middle of it.
    for (const delayMs of [0, 0, ...delays(5, 40)]) {
      const folder = await makeFolder();
      const { child, lines, begun } = start('erase', folder.path);
      await begun;
      await delay(delayMs);
      await kill(child);
      const store = await openLevelStore(folder.path);
      const state = await metaText(store, 'n');
      const records = await withSnapshot(store, (view) => collect(view.records({})));
      if (state === undefined) expect(records).toEqual([]);
      else expect([state, records.length]).toEqual(['200', 200 * keysABatch]);
      if (lines.includes('erased')) expect(state).toBeUndefined();
      seen.add(lines.includes('erased') ? 'after' : 'during');
      await store.close();
      await folder.remove();
    }
    expect(seen).toContain('during');
  });
});
