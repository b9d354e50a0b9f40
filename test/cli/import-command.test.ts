import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { checkKey } from '../../src/model/key.ts';
import { limits } from '../../src/model/limits.ts';
import { type CommandLine, commandLine } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-import-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A node that refuses keys and values that are too long, as nodes do. */
function strictLine(): CommandLine {
  const line = commandLine();
  const { node } = line;
  const write = node.write.bind(node);
  node.write = async (request, call) => {
    for (const mutation of request.mutations) {
      checkKey(mutation.key);
      if (mutation.kind === 'delete' || mutation.value.byteLength <= limits.valueBytesMax) continue;
      throw new MeridianError('INVALID_ARGUMENT', 'bytes of a value: at most 26214400', { reason: 'value-too-large' });
    }
    return write(request, call);
  };
  return line;
}

function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('ordinary objects', () => {
  const users = [
    { id: 7, name: 'Ann', metadata: { by: 'hr' }, tags: ['a'] },
    { id: 'x/8', name: 'Bob', value: 'v' },
  ];
  const files = [
    fileOf('users.json', JSON.stringify(users)),
    fileOf('users.ndjson', users.map((user) => JSON.stringify(user)).join('\n')),
  ];

  test.each(files)('by --key-column, the rest of the object is the value: %s', async (file) => {
    const { run, runWords } = commandLine();
    expect((await runWords(['import', 'flags', file, '--key-column', 'id'])).output).toBe('2 records imported\n');
    expect((await run('get flags 7')).output).toBe('{"name":"Ann","metadata":{"by":"hr"},"tags":["a"]}');
    expect((await run('get flags x/8')).output).toBe('{"name":"Bob","value":"v"}');
  });

  test.each(files)('by --value-column, a field is, beside metadata as in the bulk form: %s', async (file) => {
    const { run, runWords } = commandLine();
    await runWords(['import', 'flags', file, '--key-column', 'id', '--value-column', 'name']);
    expect(JSON.parse((await run('get flags 7 --json')).output)).toMatchObject({
      value: 'Ann',
      metadata: { by: 'hr' },
    });
    await runWords(['import', 'flags', file, '--value-column', 'id']);
    expect((await run('get flags Bob')).output).toBe('x/8');
  });

  test('keep the digits of their numbers, in what becomes the value and in metadata', async () => {
    const { run, runWords } = commandLine();
    const long = '12345678901234567890';
    const file = fileOf('long.ndjson', `{"id":7, "n": ${long}, "metadata": {"n":${long}}, "2":1.50}`);
    await runWords(['import', 'flags', file, '--key-column', 'id']);
    expect((await run('get flags 7')).output).toBe(`{"2":1.50,"n":${long},"metadata":{"n":${long}}}`);
    await runWords(['import', 'flags', file, '--key-column', 'id', '--value-column', 'n']);
    const entry = (await run('get flags 7 --json')).output;
    expect(JSON.parse(entry)).toMatchObject({ value: long });
  });

  test.each([
    ['{"id":9007199254740993}', ['--key-column', 'id'], 'below 2^53 to be a key; it is 9007199254740993'],
    ['{"id":"u:\\ud83d"}', ['--key-column', 'id'], 'record 1: "id" is no UTF-8 text'],
    ['{"id":1.5}', ['--key-column', 'id'], 'below 2^53'],
    ['{"id":null}', ['--key-column', 'id'], 'it is null'],
    ['{"id":1}', ['--key-column', 'no'], 'record 1 has no "no": give another --key-column'],
    ['{"key":"1"}', ['--value-column', 'no'], 'record 1 has no "no": give another --value-column'],
    ['{"key":"1"}', ['--columns', 'key,value'], '--columns is for CSV alone'],
    ['{"key":"1"}', ['--skipped', 'x'], '--skipped is for --on-error skip'],
  ])('%s with %j is refused', async (text, flags, why) => {
    const { runWords, node } = commandLine();
    const { exitCode, notes } = await runWords(['import', 'flags', fileOf('bad.ndjson', text), ...flags]);
    expect({ exitCode, written: node.records.size }).toEqual({ exitCode: 2, written: 0 });
    expect(notes.at(-1)).toContain(why);
  });
});

test('a compressed file is read by itself, as the name before .gz says, and so is standard input', async () => {
  const { run, runWords } = commandLine();
  const file = fileOf('data.csv.gz', gzipSync('key,value\na,1\nb,2\n'));
  expect((await runWords(['import', 'flags', file])).output).toBe('2 records imported\n');
  expect((await run('get flags b')).output).toBe('2');
  const piped = await run('import flags - --format ndjson', gzipSync('{"key":"c","value":"3"}'));
  expect(piped.output).toBe('1 records imported\n');
  const cut = fileOf('cut.ndjson.gz', gzipSync('{"key":"d","value":"4"}').subarray(0, 30));
  const refused = await runWords(['import', 'flags', cut]);
  expect(refused).toMatchObject({ exitCode: 2 });
  expect(refused.notes.at(-1)).toContain('this is no sound gzip');
});

describe('a record that is refused', () => {
  const key = (length: number) => 'k'.repeat(length);
  const lines = (values: readonly string[]) => values.map((value) => `${value}\n`).join('');
  const good = (name: string) => JSON.stringify({ key: name, value: 'v' });

  test('a key of 600 bytes ends the import, which names it by its number; what stands before is written', async () => {
    const { runWords, node } = strictLine();
    const file = fileOf('long-key.ndjson', lines([good('a'), good('b'), good(key(600)), good('c')]));
    const { exitCode, notes } = await runWords(['import', 'flags', file]);
    expect(exitCode).toBe(1);
    expect(notes.at(-1)).toMatch(/^meridian: INVALID_ARGUMENT: record 3 \(key "k+…"\): .*600/);
    expect([...node.records.keys()]).toEqual(['a', 'b']);
  });

  test('a value of 26 MiB is named by its number too', async () => {
    const { runWords } = strictLine();
    const large = JSON.stringify({ key: 'large', value: 'x'.repeat(26 * 1024 * 1024) });
    const { exitCode, notes } = await runWords(['import', 'flags', fileOf('large.ndjson', lines([good('a'), large]))]);
    expect(exitCode).toBe(1);
    expect(notes.at(-1)).toContain('record 2 (key "large"): bytes of a value: at most 26214400');
  });

  test('with --on-error skip it goes into a file with its reason, which imports once it is mended', async () => {
    const { run, runWords, node } = strictLine();
    const file = fileOf(
      'mixed.ndjson',
      lines([
        good('a'),
        JSON.stringify({ key: key(600), value: 'AP8=', base64: true }),
        '{"key":"b"}',
        '{"key":}',
        good('c'),
        '7',
      ]),
    );
    const { exitCode, output } = await runWords(['import', 'flags', file, '--on-error', 'skip']);
    const skipped = `${file}.skipped.ndjson`;
    expect({ exitCode, output }).toEqual({
      exitCode: 0,
      output: `2 records imported, 4 skipped, as ${skipped} says\n`,
    });
    expect([...node.records.keys()]).toEqual(['a', 'c']);
    const entries = readFileSync(skipped, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(entries.sort((a, b) => a.record - b.record)).toEqual([
      { record: 2, error: expect.stringContaining('600'), key: key(600), value: 'AP8=', base64: true },
      { record: 3, error: 'record 3 has no "value"', text: '{"key":"b"}' },
      { record: 4, error: expect.stringContaining('record 4 is no JSON'), text: '{"key":}' },
      { record: 6, error: 'record 6 is no object', text: '7' },
    ]);
    const mended = fileOf('mended.ndjson', JSON.stringify({ ...entries[0], key: 'short' }));
    await runWords(['import', 'flags', mended]);
    expect([...(await run('get flags short')).bytes]).toEqual([0, 255]);
    const again = await runWords(['import', 'flags', file, '--on-error', 'skip', '--json', '--skipped', skipped]);
    expect(JSON.parse(again.output)).toEqual({ records: 2, skipped: 4 });
    expect(readFileSync(skipped, 'utf8').trim().split('\n')).toHaveLength(4);
  });

  test('one that is no UTF-8 is skipped too, and stands in the file byte by byte; what is refused keeps its digits', async () => {
    const { runWords, node } = strictLine();
    const long = '12345678901234567890';
    const broken = Buffer.from('{"key":"caf\xe9","value":"1"}', 'latin1');
    const refused = `{"key":"${key(600)}","value":"v","metadata":{"n":${long}}}`;
    const file = fileOf('broken.ndjson', Buffer.concat([broken, Buffer.from(`\n${refused}\n${good('a')}\n`)]));
    await runWords(['import', 'flags', file, '--on-error', 'skip']);
    expect([...node.records.keys()]).toEqual(['a']);
    const lines = readFileSync(`${file}.skipped.ndjson`, 'utf8').trim().split('\n').sort();
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      record: 1,
      error: 'record 1 is no UTF-8: byte 12 is 0xe9 of the file',
      text: broken.toString('base64'),
      base64: true,
    });
    expect(lines[1]).toContain(`"metadata":{"n":${long}}`);
  });

  test('rows of a CSV are skipped as well, but a column that is not there is a mistake', async () => {
    const { runWords } = commandLine();
    const file = fileOf('rows.csv', 'key,value,expiration\na,1,\nb,2,soon\nc,3,\n');
    const skipped = join(folder, 'rows.skipped');
    const flags = ['--on-error', 'skip', '--skipped', skipped];
    expect((await runWords(['import', 'flags', file, ...flags])).output).toContain('2 records imported, 1 skipped');
    expect(JSON.parse(readFileSync(skipped, 'utf8'))).toMatchObject({
      record: 2,
      text: expect.stringContaining('soon'),
    });
    const wrong = await runWords(['import', 'flags', file, '--key-column', 'id', ...flags]);
    expect(wrong).toMatchObject({ exitCode: 2 });
    expect(wrong.notes.at(-1)).toContain('there is no column "id"');
  });

  test('a row of a CSV with a misplaced quote is skipped as it stands, unless it is unclear where it ends', async () => {
    const { runWords, node } = commandLine();
    const file = fileOf('quotes.csv', 'key,value\na,1\nb,5" disk\nc,3\n');
    const { exitCode, output } = await runWords(['import', 'flags', file, '--on-error', 'skip']);
    expect({ exitCode, output: output.split(',')[1] }).toEqual({ exitCode: 0, output: ' 1 skipped' });
    expect([...node.records.keys()]).toEqual(['a', 'c']);
    expect(JSON.parse(readFileSync(`${file}.skipped.ndjson`, 'utf8'))).toMatchObject({ record: 2, text: 'b,5" disk' });
    const unclear = fileOf('unclear.csv', 'key,value\nd,1\ne,"5" disk"\nf,"x\ny"\n');
    const stopped = await runWords(['import', 'flags', unclear, '--on-error', 'skip']);
    expect(stopped).toMatchObject({ exitCode: 2 });
    expect(stopped.notes.at(-1)).toContain('row 2 has a quote within a cell, and may end in several places');
    expect([...node.records.keys()].slice(2).filter((key) => key !== 'd')).toEqual([]);
  });

  test('rows of a CSV that are no UTF-8 are skipped by number and byte, and stand in the file byte by byte', async () => {
    const { runWords, node } = commandLine();
    const file = fileOf('latin1.csv', Buffer.from('key,value\ncaf\xe9,1\nb,2\ncaf\xe8,3\n', 'latin1'));
    const { exitCode, output } = await runWords(['import', 'flags', file, '--on-error', 'skip']);
    const skipped = `${file}.skipped.ndjson`;
    expect({ exitCode, output }).toEqual({
      exitCode: 0,
      output: `1 records imported, 2 skipped, as ${skipped} says\n`,
    });
    expect([...node.records.keys()]).toEqual(['b']);
    const text = (row: string) => ({ text: Buffer.from(row, 'latin1').toString('base64'), base64: true });
    const lines = readFileSync(skipped, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { record: 1, error: 'row 1 is no UTF-8: byte 14 is 0xe9 of the file', ...text('caf\xe9,1') },
      { record: 3, error: 'row 3 is no UTF-8: byte 25 is 0xe8 of the file', ...text('caf\xe8,3') },
    ]);
  });

  test('of standard input, the file of skipped records must be named', async () => {
    const { exitCode, notes } = await commandLine().run('import flags - --format csv --on-error skip', 'key,value\n');
    expect({ exitCode, notes }).toEqual({
      exitCode: 2,
      notes: ['meridian: --on-error skip of standard input needs --skipped'],
    });
  });
});

test('an import that goes on tells in the end what was left out and skipped before it stopped', async () => {
  const { node, runWords } = strictLine();
  const lines = Array.from({ length: 2500 }, (_, n) => ({ key: `k${n}`, value: 'v' }) as object);
  lines[3] = { key: 'past', value: 'v', expiration: 1 };
  lines[4] = { key: 'x'.repeat(600), value: 'v' };
  lines[2400] = { key: 'past too', value: 'v', expiration: 2 };
  const file = fileOf('interrupted.ndjson', lines.map((line) => JSON.stringify(line)).join('\n'));
  const words = ['import', 'flags', file, '--on-error', 'skip', '--concurrency', '1', '--json'];
  const write = node.write.bind(node);
  node.write = async (request, call) => {
    if (request.mutations.some(({ key }) => key === 'k2300')) {
      throw new MeridianError('DATA_LOSS', 'broken', { reason: 'test' });
    }
    return write(request, call);
  };
  expect((await runWords(words)).exitCode).toBe(1);
  node.write = write;
  const { output, notes } = await runWords(words);
  expect(notes).toEqual(['going on behind record 2000, where the last import stopped']);
  expect(JSON.parse(output)).toEqual({ records: 2497, expired: 2, skipped: 1 });
});

test('an import that cannot say how far it came promises no more than to begin anew, and leaves no draft', async () => {
  const { node, runWords } = commandLine();
  const lines = Array.from({ length: 2500 }, (_, n) => JSON.stringify({ key: `k${n}`, value: 'v' }));
  const file = fileOf('unsaved.ndjson', lines.join('\n'));
  const checkpoint = join(folder, 'unsaved');
  const write = node.write.bind(node);
  node.write = async (request, call) => {
    // A folder in its place: the draft can be written, and not be put there.
    mkdirSync(checkpoint, { recursive: true });
    return write(request, call);
  };
  const { exitCode, notes } = await runWords([
    'import',
    'flags',
    file,
    '--concurrency',
    '1',
    '--checkpoint',
    checkpoint,
  ]);
  expect(exitCode).toBe(2);
  expect(notes.join('\n')).toContain('how far it came cannot be written: EISDIR');
  expect(notes).toContainEqual(expect.stringMatching(/^stopped with \d+ records acknowledged$/));
  expect(existsSync(`${checkpoint}.tmp`)).toBe(false);
});

test('an export that is broken off says from where the next one goes on, where there is such a place', async () => {
  const { node, runWords } = commandLine();
  for (let first = 0; first < 2500; first += 500) {
    const lines = Array.from({ length: 500 }, (_, n) => JSON.stringify({ key: `k${first + n}`, value: 'v' }));
    await runWords(['import', 'flags', fileOf('many.ndjson', lines.join('\n'))]);
  }
  const output = join(folder, 'broken.ndjson');
  const list = node.list.bind(node);
  let lists = 0;
  node.list = async (request, call) => {
    if (++lists === 3) throw new MeridianError('DATA_LOSS', 'broken', { reason: 'test' });
    return list(request, call);
  };
  expect((await runWords(['export', 'flags', '--output', output])).notes).toEqual([
    expect.stringMatching(/^stopped with \d+000 records in the file; run it again to go on$/),
    'meridian: DATA_LOSS: broken',
  ]);
  const { notes } = await runWords(['export', 'flags', '--output', output]);
  expect(notes).toEqual([expect.stringMatching(/^going on behind record \d+000/), '2500 records exported']);
  lists = 2;
  expect((await runWords(['export', 'flags', '--output', output])).notes).toEqual(['meridian: DATA_LOSS: broken']);
});

describe('what is written beside the input', () => {
  test.each([
    ['--skipped', 'the input'],
    ['--checkpoint', 'the input'],
    ['--checkpoint other --skipped', '--checkpoint'],
  ])('is another file, by whatever path: %s', async (flags, other) => {
    const text = '{"key":"","value":"refused"}\n{"key":"k","value":"v"}\n';
    const file = fileOf('precious.ndjson', text);
    const [first = '', ...rest] = flags.replace('other', join(folder, 'x')).split(' ');
    const same = other === 'the input' ? join(folder, '..', basename(folder), 'precious.ndjson') : join(folder, 'x');
    const { node, runWords } = strictLine();
    const words = ['import', 'flags', file, '--on-error', 'skip', first, ...rest, same];
    const { exitCode, notes } = await runWords(words);
    expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining(`and ${other} are the same file`)]);
    expect([readFileSync(file, 'utf8'), node.writes]).toEqual([text, []]);
  });

  test('is no draft of a checkpoint either', async () => {
    const file = fileOf('rows.ndjson.tmp', '{"key":"k","value":"v"}');
    const words = ['import', 'flags', file, '--format', 'ndjson', '--checkpoint', join(folder, 'rows.ndjson')];
    const { exitCode, notes } = await commandLine().runWords(words);
    expect([exitCode, notes.join()]).toEqual([
      2,
      expect.stringContaining('the draft of --checkpoint and the input are'),
    ]);
    expect(existsSync(file)).toBe(true);
  });

  test('is found to be impossible before anything is imported', async () => {
    const { node, runWords } = commandLine();
    const file = fileOf('one.ndjson', '{"key":"k","value":"v"}');
    const words = ['import', 'flags', file, '--checkpoint', join(folder, 'nowhere', 'x')];
    const { exitCode, notes } = await runWords(words);
    expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining('how far it came cannot be written: ENOENT')]);
    expect(node.writes).toEqual([]);
  });
});

test('an export into a file that is named as compressed is refused', async () => {
  const { runWords } = commandLine();
  const { exitCode, notes } = await runWords(['export', 'flags', '--output', join(folder, 'x.ndjson.gz')]);
  expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining('leave .gz away')]);
  expect(existsSync(join(folder, 'x.ndjson.gz'))).toBe(false);
});

describe('an import from a store that runs', () => {
  test.each([
    ['redis://host:port', 'must read redis://'],
    ['redis://host/0?x=1', 'must read redis://'],
    ['redis://host/other', 'must read redis://'],
    ['etcd://host/a/../b', 'must read etcd://'],
    ['etcd://host/a?b', 'must read etcd://'],
    ['etcd://host/a#b', 'must read etcd://'],
    ['etcd://host/%zz', 'must read etcd://'],
    ['etcd://root:100%@host', 'must be percent-encoded'],
    ['redis://:100%@host', 'must be percent-encoded'],
    ['redis://127.0.0.1:1 --format csv', '--format is of a file'],
    ['redis://127.0.0.1:1 --on-error skip', 'skip of a store that runs needs --skipped'],
  ])('refuses %s before it connects', async (words, why) => {
    const { run, connections } = commandLine();
    const { exitCode, notes } = await run(`import flags ${words}`);
    expect([exitCode, notes.join(), connections]).toEqual([2, expect.stringContaining(why), []]);
  });

  test.each([
    'import flags redis://:plain-secret@host/0?x=1',
    'import flags redis://u:plain/secret@host/0',
    'import flags redis://:plain-secret@host --format csv',
    'import flags etcd://root:plain-secret@host/a?b',
    'import flags rediss://:plain-secret@host',
    'import flags rediss://:plain-secret@host --format csv',
    'diff flags redis://:plain-secret@host',
    'diff flags redis://:plain-secret@host --format csv',
  ])('keeps its password to itself where it refuses %s', async (words) => {
    const { run, connections } = commandLine();
    const { exitCode, notes } = await run(words);
    expect([exitCode, notes.join(), connections]).toEqual([2, expect.stringContaining('://[hidden]@host'), []]);
    expect(notes.join()).not.toMatch(/plain|secret/);
  });
});
