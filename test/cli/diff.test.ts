import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { ComparedRecord } from '../../src/cli/diff/compared-record.ts';
import { diffStreams } from '../../src/cli/diff/diff-streams.ts';
import { sortedRecords } from '../../src/cli/diff/sorted-records.ts';
import { MeridianError } from '../../src/model/errors.ts';
import { compareKeys } from '../../src/model/key.ts';
import { FakeNode } from '../client/fake-node.ts';
import { commandLine } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-diff-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const to = '--to-endpoint 127.0.0.1:9';

async function twoNodes() {
  const line = commandLine();
  const other = new FakeNode();
  line.others.set('127.0.0.1:9', other);
  const at = ['--endpoint', '127.0.0.1:9'];
  const puts = [
    ['same', 'v', '--metadata', '{"n": 12345678901234567890}'],
    ['value', 'v'],
    ['both', 'v', '--expires-at', '2099-01-01T00:00:00Z'],
    ['gone', 'v'],
  ];
  for (const put of puts) await line.runWords(['put', 'flags', ...put]);
  await line.runWords(['put', 'flags', 'new', 'v', ...at]);
  await line.runWords(['put', 'flags', 'value', 'w', ...at]);
  await line.runWords(['put', 'flags', 'both', 'v', '--metadata', '1', ...at]);
  await line.runWords(['put', 'flags', 'same', 'v', '--metadata', '{"n":12345678901234567890}', ...at]);
  return { ...line, other };
}

describe('diff of two nodes', () => {
  it('tells what was added, removed and changed, and how old both sides can be; ends with 1', async () => {
    const { run } = await twoNodes();
    const { exitCode, output, notes } = await run(`diff flags ${to}`);
    expect([exitCode, output]).toEqual([1, '~ both (metadata, expiry)\n- gone\n+ new\n~ value (value)\n']);
    expect(notes).toEqual([
      'flags at 127.0.0.1:7100: at most 0.120 s old (cache at fake)',
      'flags at 127.0.0.1:9: at most 0.120 s old (cache at fake)',
      '1 added, 1 removed, 2 changed, 1 equal',
    ]);
  });

  it('tells it to a program, with the counts in the end', async () => {
    const { run } = await twoNodes();
    const { output } = await run(`diff flags --prefix v --output json ${to}`);
    const lines = output.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { kind: 'changed', key: 'value', differs: ['value'] },
      { added: 0, removed: 0, changed: 1, equal: 0, sides: [{ staleness: 0.12, past: false }, {}] },
    ]);
  });

  it('ends with 0 where both hold the same', async () => {
    const { run } = await twoNodes();
    expect(await run(`diff flags --prefix same ${to}`)).toMatchObject({ exitCode: 0, output: '' });
    expect(await run('diff flags --to-namespace flags')).toMatchObject({ exitCode: 0, output: '' });
  });

  it('ends with 2 where it could not be found out', async () => {
    const { run, other } = await twoNodes();
    other.damaged.add('same');
    expect((await run(`diff flags --prefix same ${to}`)).exitCode).toBe(2);
    other.failure = new MeridianError('UNAVAILABLE', 'away', { reason: 'test' });
    expect(await run(`diff flags ${to}`)).toMatchObject({ exitCode: 2, notes: ['meridian: UNAVAILABLE: away'] });
    expect((await run('diff flags')).exitCode).toBe(2);
    expect((await run(`diff flags x.ndjson ${to}`)).exitCode).toBe(2);
    for (const file of ['/nonexistent.ndjson', '/nonexistent.csv', `${folder} --format csv`]) {
      const { exitCode, notes } = await run(`diff flags ${file}`);
      expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining('meridian: the file cannot be read: E')]);
    }
  });

  it('prints one line for a key that has several', async () => {
    const { run, runWords } = await twoNodes();
    await runWords(['put', 'flags', 'two\n+ lines', 'v']);
    expect((await run(`diff flags --prefix two ${to}`)).output).toBe('- "two\\n+ lines"\n');
  });

  it('says so where an answer is older than what was asked for', async () => {
    const { run, other } = await twoNodes();
    other.past = true;
    const { notes } = await run(`diff flags --max-staleness 50ms ${to}`);
    expect(notes[1]).toContain('which is past what was asked for');
  });
});

describe('diff of a file', () => {
  it('finds an export equal, also where its lines are in another order', async () => {
    const { run, runWords } = await twoNodes();
    const exported = (await run('export flags')).output;
    const file = join(folder, 'reversed.ndjson');
    writeFileSync(file, exported.trim().split('\n').reverse().join('\n'));
    expect(await runWords(['diff', 'flags', file])).toMatchObject({ exitCode: 0, output: '' });
    const piped = await run('diff flags - --format ndjson', exported.replace('"key":"value"', '"key":"other"'));
    expect(piped).toMatchObject({ exitCode: 1, output: '+ other\n- value\n' });
    expect(piped.notes[1]).toBe('standard input: as it stands there');
  });

  it('takes the last of several records of a key, leaves out what has expired, and compares no relative expiry', async () => {
    const { runWords } = commandLine();
    await runWords(['put', 'flags', 'a', 'new']);
    const lines = [
      { key: 'a', value: 'old' },
      { key: 'a', value: 'new', expiration_ttl: 60 },
      { key: 'b', value: 'v', expiration: 5 },
    ];
    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    expect(await runWords(['diff', 'flags', '-', '--format', 'ndjson'], text)).toMatchObject({ exitCode: 0 });
  });
});

async function* streamed(records: readonly ComparedRecord[]) {
  yield* records;
}

const record = (key: string, digest: string): ComparedRecord => ({ key, digest, metadata: null, expiration: null });

describe('what stands behind it', () => {
  const keys = fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }), { maxLength: 60 });

  it('sorts any records as their keys’ bytes do, the last of each key, in runs or in memory', async () => {
    vi.stubEnv('TMPDIR', mkdtempSync(join(folder, 'runs-')));
    await fc.assert(
      fc.asyncProperty(keys, fc.integer({ min: 1, max: 9 }), async (names, runRecordsMax) => {
        const records = names.map((key, index) => record(key, String(index)));
        const sorted: ComparedRecord[] = [];
        for await (const one of sortedRecords(streamed(records), { runRecordsMax, runsMax: 3 })) sorted.push(one);
        const last = [...new Map(records.map((one) => [one.key, one])).values()];
        expect(sorted).toEqual(last.sort((a, b) => compareKeys(a.key, b.key)));
      }),
      { numRuns: 60 },
    );
    expect(readdirSync(tmpdir())).toEqual([]);
    vi.unstubAllEnvs();
  });

  it('says where it sorts, where there is no room for it', async () => {
    vi.stubEnv('TMPDIR', '/nowhere/at all');
    const records = ['a', 'b'].map((key) => ({ key, digest: '', metadata: null, expiration: null }));
    const sorting = sortedRecords(streamed(records), { runRecordsMax: 1, runsMax: 3 });
    await expect(sorting.next()).rejects.toThrow(/cannot be written in \/nowhere\/at all \(TMPDIR .*: ENOENT/);
    vi.unstubAllEnvs();
  });

  it('finds of any two sides what a comparison of two maps finds', async () => {
    await fc.assert(
      fc.asyncProperty(keys, keys, async (one, other) => {
        const sides = [one, other].map((names) => new Map(names.map((key, n) => [key, record(key, String(n % 2))])));
        const [left = new Map(), right = new Map()] = sides;
        const expected = [...new Set([...left.keys(), ...right.keys()])].sort(compareKeys).map((key) => {
          if (!right.has(key)) return ['removed', key];
          if (!left.has(key)) return ['added', key];
          return [left.get(key)?.digest === right.get(key)?.digest ? 'equal' : 'changed', key];
        });
        const found = [];
        const inOrder = (side: ReadonlyMap<string, ComparedRecord>) =>
          streamed([...side.values()].sort((a, b) => compareKeys(a.key, b.key)));
        for await (const { kind, key } of diffStreams(inOrder(left), inOrder(right))) found.push([kind, key]);
        expect(found).toEqual(expected);
      }),
    );
  });
});
