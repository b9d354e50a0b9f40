import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NamespaceId } from '../../src/model/namespace.ts';
import { nowhere as position } from '../../src/model/position.ts';
import type { Record } from '../../src/model/record.ts';
import { bottomStamp as stamp } from '../../src/model/stamp.ts';
import { keepApart } from '../../src/node/kept-apart.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { commandLine } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-kept-apart-'));
afterAll(() => rmSync(folder, { recursive: true }));

const here = commandLine().node.namespaceId;
const elsewhere = 'e'.repeat(32) as NamespaceId;

/** What an origin writes itself. */
async function* records(): AsyncGenerator<Record> {
  const live = (namespace: NamespaceId, key: string) =>
    ({ kind: 'live', namespace, key, stamp, position, value: Buffer.from(`old ${key}`) }) as const;
  yield { ...live(here, 'a'), metadata: '{"n":12345678901234567890}' };
  yield { kind: 'tombstone', namespace: here, key: 'b', stamp, position };
  yield live(here, 'c');
  yield live(elsewhere, 'a');
  yield { kind: 'tombstone', namespace: elsewhere, key: 'c', stamp, position };
}

let file = '';
beforeAll(async () => {
  file = (await keepApart({ folder, member: 'm', logger }, records())) ?? '';
});

async function filled() {
  const line = commandLine();
  for (const key of ['b', 'c']) await line.runWords(['put', 'flags', key, 'now']);
  const shown = async () => {
    const { output } = await line.run('export flags');
    const lines = output.trim().split('\n');
    return Object.fromEntries(lines.map((text) => JSON.parse(text)).map(({ key, value }) => [key, value]));
  };
  return { ...line, shown };
}

describe('what an origin kept apart is imported', () => {
  test('of the namespace that is named, without deletions, which are counted', async () => {
    const { runWords, run, shown } = await filled();
    const { exitCode, output, notes } = await runWords(['import', 'flags', file]);
    expect({ exitCode, output, notes }).toEqual({
      exitCode: 0,
      output: '2 records imported\n',
      notes: [
        'left out: 1 deletions; --deletions apply deletes those keys',
        `left out: records of other namespaces (--from-namespace takes one of them): 2 of ${elsewhere}`,
      ],
    });
    expect(await shown()).toEqual({ a: 'old a', b: 'now', c: 'old c' });
    expect((await run('get flags a --json')).output).toContain('12345678901234567890');
  });

  test('with deletions where they are asked for', async () => {
    const { runWords, shown } = await filled();
    const { output, notes } = await runWords(['import', 'flags', file, '--deletions', 'apply']);
    expect([output, notes.length]).toEqual(['3 records imported\n', 1]);
    expect(await shown()).toEqual({ a: 'old a', c: 'old c' });
  });

  test('from a namespace that is gone, into another one', async () => {
    const { runWords, shown } = await filled();
    const words = ['import', 'flags', file, '--from-namespace', elsewhere, '--deletions', 'apply'];
    expect((await runWords(words)).output).toBe('2 records imported\n');
    expect(await shown()).toEqual({ a: 'old a', b: 'now' });
  });
});

test('what an import of it would add and change, diff shows', async () => {
  const { runWords } = await filled();
  const { exitCode, output } = await runWords(['diff', 'flags', file]);
  expect({ exitCode, output }).toEqual({ exitCode: 1, output: '+ a\n- b\n~ c (value)\n' });
});

test.each([
  [['--format', 'ndjson'], 'record 2 is a deletion, as an origin keeps them apart: --format kept-apart'],
  [['--format', 'ndjson', '--deletions', 'apply'], '--deletions is for what an origin kept apart alone'],
  [['--format', 'ndjson', '--from-namespace', elsewhere], '--from-namespace is for what an origin kept apart alone'],
  [['--from-namespace', 'flags'], '--from-namespace must be an id'],
])('with %j it is refused', async (flags, why) => {
  const { runWords } = await filled();
  const { exitCode, notes } = await runWords(['import', 'flags', file, ...flags]);
  expect([exitCode, notes.at(-1)]).toEqual([2, expect.stringContaining(why)]);
});

test('a file by its name alone is not taken for one; another name needs --format', async () => {
  const other = join(folder, basename(file).replace('kept-apart', 'saved'));
  writeFileSync(other, readFileSync(file));
  const named = await (await filled()).runWords(['import', 'flags', other, '--format', 'kept-apart']);
  expect(named.output).toBe('2 records imported\n');
  const plain = join(folder, 'kept-apart-x.ndjson');
  writeFileSync(plain, '{"key":"k","value":"v"}\n');
  const { exitCode, notes } = await (await filled()).runWords(['import', 'flags', plain]);
  expect([exitCode, notes.at(-1)]).toEqual([2, expect.stringContaining('record 1 has no "namespace"')]);
});
