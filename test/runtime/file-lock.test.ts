import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../src/runtime/clock.ts';
import { FileLock } from '../../src/runtime/file-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'lock');
beforeEach(() => rmSync(path, { force: true }));

/** Its timers fire when the test says so. */
function handClock(): Clock & { fire(): void } {
  const due: Array<() => void> = [];
  return {
    wallMs: () => 0,
    monotonicMs: () => 0,
    timer: (_delayMs, run) => {
      due.push(run);
      return { cancel: () => void due.splice(due.indexOf(run), 1) };
    },
    fire: () => due.shift()?.(),
  };
}

async function taken(clock: Clock = handClock()): Promise<FileLock> {
  const outcome = await FileLock.take(path, clock);
  if (outcome.kind === 'held') throw new Error(`held by ${outcome.holder.pid}`);
  return outcome.lock;
}

/** What the lock of this process says, with other words. */
async function saying(other: object): Promise<string> {
  const lock = await taken();
  const said = JSON.parse(readFileSync(path, 'utf8')) as object;
  await lock.release();
  return JSON.stringify({ ...said, ...other });
}

test('a lock that a running process has is refused to others, and names the process', async () => {
  const lock = await taken();
  expect(await FileLock.take(path, handClock())).toMatchObject({ kind: 'held', holder: { pid: process.pid } });
  await lock.release();
  await lock.release();
  await (await taken()).release();
  expect(readdirSync(folder)).toEqual([]);
});

test('of many who come at once one gets it', async () => {
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => FileLock.take(path, handClock())));
  const locks = outcomes.flatMap((outcome) => (outcome.kind === 'taken' ? [outcome.lock] : []));
  expect(locks.length).toBe(1);
  await Promise.all(locks.map((lock) => lock.release()));
});

test('what a killed process left behind keeps nobody out', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const { pid = 0 } = child;
  writeFileSync(path, await saying({ pid, begun: undefined }));
  expect((await FileLock.take(path, handClock())).kind).toBe('held');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await taken()).release();
  expect(readdirSync(folder)).toEqual([]);
});

test.skipIf(process.platform !== 'linux')('a later process with the same number has no lock', async () => {
  writeFileSync(path, await saying({ begun: '1' }));
  await (await taken()).release();
});

test('of another machine, or of one that was killed before it wrote, a lock counts while it shows signs of life', async () => {
  for (const text of [await saying({ host: 'elsewhere' }), await saying({ space: 'pid:[1]' }), '']) {
    writeFileSync(path, text);
    expect((await FileLock.take(path, handClock())).kind).toBe('held');
    const past = Date.now() / 1000 - 61;
    utimesSync(path, past, past);
    await (await taken()).release();
  }
});

test('whoever has a lock shows signs of life, and leaves one alone that is another’s by then', async () => {
  const clock = handClock();
  const lock = await taken(clock);
  utimesSync(path, 1, 1);
  clock.fire();
  await expect.poll(() => statSync(path).mtimeMs).toBeGreaterThan(10_000);
  rmSync(path);
  writeFileSync(path, 'of another process');
  await lock.release();
  expect(existsSync(path)).toBe(true);
});
