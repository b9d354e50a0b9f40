import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Checkpoint, fileIdentity } from '../../../src/cli/transfer/checkpoint.ts';
import { PlacedCount } from '../../../src/cli/transfer/placed-count.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'input.meridian-import');
const identity = { file: 'f', format: 'csv', namespace: 'n' };

test('a checkpoint tells the same import how far it came, until it is removed', async () => {
  const checkpoint = new Checkpoint(path, identity);
  expect(await checkpoint.load()).toBeUndefined();
  const state = { records: 1500, bytes: 9, cursor: 'c', damaged: 1, expired: 2, skipped: 3 };
  await checkpoint.save(state);
  expect(await new Checkpoint(path, identity).load()).toEqual(state);
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

test('a file is told from one with another beginning or size, or that was written at another time', async () => {
  const file = join(folder, 'input');
  const write = (text: string, seconds = 1) => {
    writeFileSync(file, text);
    utimesSync(file, seconds, seconds);
    return fileIdentity(file);
  };
  expect(await write('abc')).toBe(await write('abc'));
  // What differs lies behind what is looked at.
  expect(await write('x'.repeat(2_000_000))).not.toBe(await write(`${'x'.repeat(1_999_999)}y`, 2));
  expect(await write('abc')).not.toBe(await write('abd'));
  expect(await write('x'.repeat(2_000_000))).not.toBe(await write('x'.repeat(2_000_001)));
});

test('what falls out of a beginning is counted by its place, in whatever order it comes', () => {
  const count = new PlacedCount(5);
  for (const place of [7, 2, 9, 3]) count.add(place);
  expect([count.upTo(2), count.upTo(7), count.upTo(7), count.total]).toEqual([6, 8, 8, 9]);
});
