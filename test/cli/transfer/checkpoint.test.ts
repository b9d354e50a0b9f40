import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Checkpoint, fileIdentity } from '../../../src/cli/transfer/checkpoint.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'input.meridian-import');
const identity = { file: 'f', format: 'csv', namespace: 'n' };

test('a checkpoint tells the same import how far it came, until it is removed', async () => {
  const checkpoint = new Checkpoint(path, identity);
  expect(await checkpoint.load()).toBeUndefined();
  await checkpoint.save({ records: 1500, bytes: 9, cursor: 'c' });
  expect(await new Checkpoint(path, identity).load()).toEqual({ records: 1500, bytes: 9, cursor: 'c' });
  await checkpoint.remove();
  expect(await checkpoint.load()).toBeUndefined();
});

test.each(['file', 'format', 'namespace'])('another %s begins anew', async (field) => {
  await new Checkpoint(path, identity).save({ records: 10 });
  expect(await new Checkpoint(path, { ...identity, [field]: 'other' }).load()).toBeUndefined();
});

test('a damaged checkpoint begins anew', async () => {
  for (const text of ['', '{', '[]', '{"file":"f","format":"csv","namespace":"n","records":-1}']) {
    writeFileSync(path, text);
    expect(await new Checkpoint(path, identity).load()).toBeUndefined();
  }
});

test('a file is told from one with another beginning or size', async () => {
  const write = (text: string) => {
    const file = join(folder, 'input');
    writeFileSync(file, text);
    return fileIdentity(file);
  };
  expect(await write('abc')).toBe(await write('abc'));
  expect(await write('abc')).not.toBe(await write('abd'));
  expect(await write('x'.repeat(2_000_000))).not.toBe(await write('x'.repeat(2_000_001)));
});
