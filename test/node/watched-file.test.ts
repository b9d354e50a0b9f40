import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { WatchedFile } from '../../src/node/watched-file.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { loggerTo } from '../../src/runtime/logger.ts';

vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>();
  return { ...fs, readFile: vi.fn(fs.readFile) };
});

it('a file whose rights are mended is read anew, though its form is as it was', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-file-'));
  const path = join(folder, 'token');
  writeFileSync(path, 'first');
  const timers: Array<() => void> = [];
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    timer: (_ms, run) => {
      timers.push(run);
      return { cancel: () => {} };
    },
  };
  const lines: string[] = [];
  const file = await WatchedFile.open({
    path,
    what: 'the token',
    parse: (bytes) => bytes.toString(),
    clock,
    logger: loggerTo((_level, message) => void lines.push(message)),
  });
  const looked = async () => {
    timers.shift()?.();
    await vi.waitFor(() => expect(timers).toHaveLength(1));
  };
  writeFileSync(path, 'the second');
  vi.mocked(readFile).mockRejectedValueOnce(new Error('EACCES: permission denied'));
  await looked();
  expect(file.value).toBe('first');
  await looked();
  expect(file.value).toBe('the second');
  expect(lines).toHaveLength(2);
  file.close();
  rmSync(folder, { recursive: true });
});
