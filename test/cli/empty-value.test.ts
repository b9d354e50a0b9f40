import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { commandLine } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-empty-'));
afterAll(() => rmSync(folder, { recursive: true }));

const nothing = join(folder, 'nothing');
writeFileSync(nothing, '');

describe('an empty standard input', () => {
  test.each([
    ['put flags k', 'standard input'],
    ['put flags k --if-absent=0', 'standard input'],
    ['put flags k --file /dev/null', '/dev/null'],
  ])('is no value: %s', async (words, what) => {
    const { run, node } = commandLine();
    await run('put flags k before');
    const { exitCode, output, notes } = await run(words, '');
    expect([exitCode, output, notes]).toEqual([
      2,
      '',
      [`meridian: ${what} is empty, and nothing is written: for an empty value give "" as argument, or --allow-empty`],
    ]);
    expect(node.writes).toHaveLength(1);
  });

  test('is one with --allow-empty, of a pipe too', async () => {
    const { run } = commandLine();
    await run('put flags k before');
    expect((await run('put flags k --allow-empty', '')).exitCode).toBe(0);
    expect(await run('get flags k')).toMatchObject({ exitCode: 0, output: '' });
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const filling = (path: string) => spawn('sh', ['-c', `: > ${path}`], { stdio: 'ignore' });
    filling(fifo);
    expect((await run(`put flags k --file ${fifo}`)).exitCode).toBe(2);
    filling(fifo);
    expect((await run(`put flags k --file ${fifo} --allow-empty`)).exitCode).toBe(0);
  });
});

test('an empty argument, and a file that is empty, are asked for', async () => {
  const { run, runWords } = commandLine();
  expect((await runWords(['put', 'flags', 'argument', ''])).exitCode).toBe(0);
  expect((await runWords(['put', 'flags', 'file', '--file', nothing])).exitCode).toBe(0);
  for (const key of ['argument', 'file']) {
    expect(await run(`get flags ${key}`)).toMatchObject({ exitCode: 0, output: '' });
  }
});
