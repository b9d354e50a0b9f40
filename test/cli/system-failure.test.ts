import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { describeFailure } from '../../src/cli/exit-code.ts';
import { systemFailure } from '../../src/cli/system-failure.ts';
import { commandLine } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-system-failure-'));
afterAll(() => rmSync(folder, { recursive: true }));

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: of the system, write`), { code, syscall: 'write' });
}

test.each([
  ['ENOSPC', 1, 'RESOURCE_EXHAUSTED: '],
  ['EDQUOT', 1, 'RESOURCE_EXHAUSTED: '],
  ['EMFILE', 1, 'RESOURCE_EXHAUSTED: '],
  ['EACCES', 1, 'PERMISSION_DENIED: '],
  ['EROFS', 1, 'PERMISSION_DENIED: '],
  ['EIO', 1, 'UNAVAILABLE: '],
  ['ENOENT', 2, ''],
  ['EISDIR', 2, ''],
  ['EEXIST', 2, ''],
])('%s ends with %i, whoever meets it', (code, exitCode, word) => {
  const named = systemFailure('the file cannot be written', failure(code));
  expect(describeFailure(named, false)).toEqual({
    exitCode,
    line: `meridian: ${word}the file cannot be written: ${code}: of the system, write`,
  });
  expect(describeFailure(failure(code), false)).toEqual({
    exitCode,
    line: `meridian: ${word}${code}: of the system, write`,
  });
});

describe.skipIf(!existsSync('/dev/full'))('a full disk', () => {
  const line = commandLine();
  const full = join(folder, 'full.ndjson');
  const input = join(folder, 'in.ndjson');
  writeFileSync(input, '{"key":"k","value":"v"}\n{"value":"no key"}\n');
  symlinkSync('/dev/full', full);

  test.each([
    [['export', 'flags', '--output', full]],
    [['import', 'flags', input, '--on-error', 'skip', '--skipped', full]],
  ])('fails %j with 1 and a code word', async (words) => {
    await line.run('put flags k v');
    const { exitCode, notes } = await line.runWords(words);
    expect([exitCode, notes.at(-1)]).toEqual([1, expect.stringMatching(/^meridian: RESOURCE_EXHAUSTED: .*ENOSPC/)]);
    const asJson = await line.runWords([...words, '--json']);
    expect(JSON.parse(asJson.notes.at(-1) ?? '')).toMatchObject({ error: { code: 'RESOURCE_EXHAUSTED' } });
  });
});

test.skipIf(process.getuid?.() === 0)('a file that may not be read fails with 1', async () => {
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'v');
  chmodSync(secret, 0);
  const { exitCode, notes } = await commandLine().runWords(['put', 'flags', 'k', '--file', secret]);
  expect([exitCode, notes.at(-1)]).toEqual([1, expect.stringContaining('PERMISSION_DENIED: --file cannot be read')]);
});

test('a file that is not there is wrong usage', async () => {
  for (const words of [
    ['put', 'flags', 'k', '--file', join(folder, 'none')],
    ['import', 'flags', join(folder, 'none.ndjson')],
    ['diff', 'flags', join(folder, 'none.ndjson')],
    ['export', 'flags', '--output', join(folder, 'none', 'out.ndjson')],
  ]) {
    const { exitCode, notes } = await commandLine().runWords(words);
    expect([exitCode, notes.at(-1)]).toEqual([2, expect.stringContaining('ENOENT')]);
  }
});
