import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SkippedFile } from '../../../src/cli/transfer/skipped-file.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meridian-skipped-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it.each(['{"record":1}\n', '{"record":1}\n{"rec'])(
  'is gone on with on a new line, whatever the import before left there: %j',
  async (before) => {
    const path = join(folder, 'skipped');
    writeFileSync(path, before);
    const file = new SkippedFile(path, true);
    for (const number of [2, 3]) await file.add({ number, why: new Error('it is none'), text: 'x' });
    await file.close();
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(lines.slice(-2).map((line) => (JSON.parse(line) as { record: number }).record)).toEqual([2, 3]);
    expect(lines).toHaveLength(before.endsWith('\n') ? 3 : 4);
  },
);
