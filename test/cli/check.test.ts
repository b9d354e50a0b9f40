import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeSample } from '../store/damage/damaged-copy.ts';
import { makeFolder } from '../store/level-folder.ts';
import { commandLine } from './fake-terminal.ts';

test.each([
  'check --data no-folder',
  'backup --to ftp://host',
  'backup --to s3://B',
  'backup --to no-folder --every 0',
  'backup verify --from ftp://host',
  'restore --from ftp://host --data no-folder',
  'store init --store mysql://host/db',
  'store copy --from no-folder --to postgres://host/db',
])('%s ends with 2: 1 would say that data is damaged, or that something failed', async (words) => {
  const { exitCode, notes } = await commandLine().run(words);
  expect([exitCode, notes.length]).toEqual([2, 1]);
});

test('meridian check says that a store is whole and ends with 0, or what is damaged and ends with 1', async () => {
  const folder = await makeFolder();
  const store = join(folder.path, 'store');
  await makeSample(store, 200);
  const check = (words: string) => commandLine().run(`check --data ${folder.path}${words}`);
  const whole = await check('');
  expect(whole).toMatchObject({ exitCode: 0, notes: [] });
  expect(whole.output).toMatch(/store: whole\n {2}\d+ tables of \d+ bytes verified; 200 commits acknowledged\n$/);
  const table = (await readdir(store)).find((name) => name.endsWith('.ldb')) ?? 'none';
  await writeFile(join(store, table), 'no table');
  const damaged = await check('');
  expect(damaged.exitCode).toBe(1);
  expect(damaged.output).toMatch(/store: DAMAGED\n.*\n.*: it is shorter than it was\n$/);
  const report = JSON.parse((await check(' --json')).output) as Readonly<Record<string, unknown>>;
  expect(report).toMatchObject({ whole: false, damaged: [{ blocks: [] }] });
  await folder.remove();
});
