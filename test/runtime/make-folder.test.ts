import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { claimFolder } from '../../src/node/claim-folder.ts';
import { makeFolder } from '../../src/runtime/make-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-folders-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a folder is made with those above it, and the first that was made is told', async () => {
  expect(await makeFolder(join(folder, 'a/b/c'))).toBe(join(folder, 'a'));
  expect(await makeFolder(join(folder, 'a/b/c/'))).toBeUndefined();
  expect(await makeFolder(join(folder, 'a/b/d'))).toBe(join(folder, 'a/b/d'));
  expect(await makeFolder(relative(process.cwd(), join(folder, 'e')))).toMatch(/e$/);
  for (const path of ['a/b/c', 'a/b/d', 'e']) expect(statSync(join(folder, path)).isDirectory()).toBe(true);
  expect([await makeFolder('.'), await makeFolder('/')]).toEqual([undefined, undefined]);
});

test('two who make the same one at once both have it', async () => {
  const path = join(folder, 'f/g/h');
  await Promise.all(Array.from({ length: 10 }, () => makeFolder(path)));
  expect(existsSync(path)).toBe(true);
});

test('a file in its place is refused', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(makeFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolder(join(folder, 'file/x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

// Node's own `mkdir` goes on there for ever, and keeps the process from hearing a signal.
test.skipIf(process.platform !== 'linux')('where none can ever be made, that is told', async () => {
  await expect(makeFolder('/proc/meridian/x')).rejects.toMatchObject({ code: 'ENOENT' });
  for (const role of ['origin', 'edge'] as const) {
    await expect(claimFolder('/proc/meridian', role)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/^the data folder \/proc\/meridian cannot be used: ENOENT/),
    });
  }
});
