import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import type { FileFormat } from '../../../src/cli/formats/file-format.ts';
import { Checkpoint } from '../../../src/cli/transfer/checkpoint.ts';
import { exportFile } from '../../../src/cli/transfer/export-file.ts';
import type { Entry } from '../../../src/client/listing.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const version = '0'.repeat(32);

/** Ten entries, a cursor after each third; it breaks before the entry `breakAt`. */
async function* entries(cursor: string | undefined, breakAt: number): AsyncGenerator<Entry<unknown>> {
  for (let i = cursor === undefined ? 0 : Number(cursor); i < 10; i++) {
    if (i === breakAt) throw new Error('broken off');
    const goOn = i % 3 === 2 ? { cursor: String(i + 1) } : {};
    yield {
      name: `k${i}`,
      value: Buffer.from(`v${i}`),
      metadata: null,
      metadataText: null,
      expiration: null,
      version,
      ...goOn,
    };
  }
}

function run(path: string, format: FileFormat, breakAt: number) {
  const begunAt: Array<string | undefined> = [];
  const exported = exportFile({
    path,
    format,
    checkpoint: new Checkpoint(`${path}.meridian-export`, { format }),
    entries: (cursor) => {
      begunAt.push(cursor);
      return entries(cursor, breakAt);
    },
    damaged: () => 0,
    goingOn: () => {},
    progress: () => {},
  });
  return { exported, begunAt };
}

test.each(['ndjson', 'csv', 'workers-kv'] as const)(
  '%s: broken off at any record, it goes on to the same file',
  async (format) => {
    const whole = join(folder, `whole.${format}`);
    expect(await run(whole, format, -1).exported).toEqual({ records: 10, damaged: 0 });
    const path = join(folder, `broken.${format}`);
    for (let breakAt = 0; breakAt < 10; breakAt++) {
      rmSync(path, { force: true });
      await expect(run(path, format, breakAt).exported).rejects.toThrow('broken off');
      const again = run(path, format, -1);
      expect(await again.exported).toEqual({ records: 10, damaged: 0 });
      expect(again.begunAt).toEqual([breakAt < 3 ? undefined : String(breakAt - (breakAt % 3))]);
      expect(readFileSync(path, 'utf8')).toBe(readFileSync(whole, 'utf8'));
      expect(existsSync(`${path}.meridian-export`)).toBe(false);
    }
  },
);

test('what the disk takes a part of at a time is written whole', async () => {
  const handle = await open(join(folder, 'any'), 'w');
  const prototype = Object.getPrototypeOf(handle) as { write: (...args: unknown[]) => Promise<unknown> };
  const whole = prototype.write;
  const short = vi.spyOn(prototype, 'write').mockImplementation(function (this: unknown, data, from, length, at) {
    return whole.call(this, data, from, Math.min(length as number, 7), at);
  });
  const path = join(folder, 'pieces.ndjson');
  expect(await run(path, 'ndjson', -1).exported).toEqual({ records: 10, damaged: 0 });
  short.mockRestore();
  await handle.close();
  expect(readFileSync(path, 'utf8')).toBe(readFileSync(join(folder, 'whole.ndjson'), 'utf8'));
});

test('a full disk is told as what the output cannot take, and the next run goes on', async () => {
  const handle = await open(join(folder, 'any'), 'w');
  const prototype = Object.getPrototypeOf(handle) as { write: (...args: unknown[]) => Promise<unknown> };
  const whole = prototype.write;
  let writes = 0;
  const full = vi.spyOn(prototype, 'write').mockImplementation(function (this: unknown, ...args) {
    if (++writes > 2) throw new Error('ENOSPC: no space left on device');
    return whole.apply(this, args);
  });
  const path = join(folder, 'full.ndjson');
  await expect(run(path, 'ndjson', -1).exported).rejects.toThrow('--output cannot be written: ENOSPC');
  full.mockRestore();
  await handle.close();
  const again = run(path, 'ndjson', -1);
  expect(await again.exported).toEqual({ records: 10, damaged: 0 });
  expect(again.begunAt).toEqual(['6']);
});

test('a file that is shorter than its checkpoint says is written anew', async () => {
  const path = join(folder, 'cut.ndjson');
  await expect(run(path, 'ndjson', 7).exported).rejects.toThrow('broken off');
  writeFileSync(path, 'x');
  const again = run(path, 'ndjson', -1);
  expect(await again.exported).toEqual({ records: 10, damaged: 0 });
  expect(again.begunAt).toEqual([undefined]);
});
