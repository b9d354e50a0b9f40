import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { valueTooLarge } from '../../src/client/value-body.ts';
import { MeridianError } from '../../src/model/errors.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import { fakeLog } from '../client/fake-node.ts';
import { commandLine } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('wrong usage exits 2 with one clear line', () => {
  test.each([
    ['nonsense', 'nonsense'],
    ['get flags', 'Not enough non-option arguments'],
    ['get flags k --nonsense', 'nonsense'],
    ['get flags k --max-staleness 60', '--max-staleness must be a duration'],
    ['get flags k --endpoint 1', '--endpoint must be an address'],
    ['put flags k v --ttl 0s', '--ttl must be whole seconds'],
    ['put flags k v --ttl 1500ms', '--ttl must be whole seconds'],
    ['put flags k v --expires-at soon', '--expires-at must be'],
    ['put flags k v --metadata {', '--metadata must be JSON'],
    ['put flags k v --if-version 1', '--if-version must be 32'],
    ['put flags k v --file f', 'a value is given twice'],
    ['put flags k v --durability all --durability local', '--durability may be given only once'],
    ['list flags --prefix a --prefix b', '--prefix may be given only once'],
    ['export flags --output a.csv --output b.csv', '--output may be given only once'],
    ['origin --name a --name b', '--name may be given only once'],
    ['put flags k', 'no value: give it'],
    ['put flags k v --if-absent=yes', '--if-absent must be true or false, or 1 or 0; it is "yes"'],
    ['delete flags --prefix k --yes --dry-run=', '--dry-run must be true or false, or 1 or 0; it is ""'],
    ['get flags k --tls=on', '--tls must be true or false'],
    ['put flags k --if-absent true', '--if-absent true may mean two things'],
    ['put flags k --tls false', '--tls false may mean two things'],
    ['put flags k --file /nonexistent', '--file cannot be read'],
    ['list flags --limit 0', '--limit must be a whole number'],
    ['list flags --limit', 'Not enough arguments following: limit'],
    ['list flags --cursor --limit 1', 'Not enough arguments following: cursor'],
    ['get flags k --endpoint', 'Not enough arguments following: endpoint'],
    ['origin --peer --name a', 'Not enough arguments following: peer'],
    ['import flags /nonexistent.csv', 'the file cannot be read'],
    ['import flags x.txt', '--format is missing'],
    ['diff flags copied', 'copied is a file here; a namespace is given by --to-namespace'],
    ['namespace', 'namespace needs a command'],
    ['member', 'member needs a command'],
    ['edge', '--upstream is missing'],
    ['origin --listen nowhere', '--listen must be an address'],
    ['origin --peer somewhere', '--peer'],
    ['bench --reads 2', '--reads must be a number from 0 to 1'],
  ])('meridian %s', async (words, expected) => {
    const { exitCode, output, notes } = await commandLine().run(words);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^meridian: [^\n]+$/);
    expect(notes[0]).toContain(expected);
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: '' });
  });

  test('no command at all', async () => {
    const { exitCode, notes } = await commandLine().runWords([]);
    expect({ exitCode, notes }).toEqual({
      exitCode: 2,
      notes: ['meridian: a command is missing; see meridian --help'],
    });
  });

  test('with --json, the line is an object', async () => {
    const { notes } = await commandLine().run('list flags --limit x --json');
    expect(JSON.parse(notes[0] ?? '')).toMatchObject({ error: { code: 'USAGE' } });
  });
});

describe('help', () => {
  const names = 'origin edge namespace put get delete list watch import export status member demo bench check options';
  const commands = [...names.split(' '), 'namespace create', 'member remove'];

  test.each(commands)('of %s has letters of one column alone, as the bundled command expects', async (command) => {
    const { output } = await commandLine().run(`${command} --help`);
    expect(output).toContain('Options:');
    expect(output).not.toMatch(/[\u0300-\u036f\u1100-\u11ff\u2e80-\uffff]|\p{Emoji_Presentation}/u);
  });

  test('it names every command, and each command explains its flags with default and variable', async () => {
    const { exitCode, output } = await commandLine().run('--help');
    expect(exitCode).toBe(0);
    for (const name of names.split(' ')) expect(output).toContain(`meridian ${name}`);
    const edge = (await commandLine().run('edge --help')).output;
    expect(edge).toContain('--upstream');
    expect(edge.replaceAll(/\s+/g, ' ')).toContain('MERIDIAN_MAX_STALENESS');
  });
});

describe('values', () => {
  test('a value goes in by argument, file or standard input, and comes out byte by byte', async () => {
    const { run, runWords } = commandLine();
    expect((await run('put flags a on')).exitCode).toBe(0);
    expect((await run('get flags a')).output).toBe('on');
    const file = join(folder, 'value');
    writeFileSync(file, Uint8Array.of(0, 255, 10));
    await runWords(['put', 'flags', 'b', '--file', file]);
    expect([...(await run('get flags b')).bytes]).toEqual([0, 255, 10]);
    await run('put flags c', Uint8Array.of(200));
    expect([...(await run('get flags c')).bytes]).toEqual([200]);
    await run('put flags 007 1e3');
    expect((await run('get flags 007')).output).toBe('1e3');
  });

  test('a value from a file without an end is refused when it is too long, and not read on', async () => {
    const { run, node } = commandLine();
    const { exitCode, notes } = await run('put flags a --file /dev/zero --json');
    expect(exitCode).toBe(1);
    const { message, details } = valueTooLarge(26_214_401);
    const error = { code: 'INVALID_ARGUMENT', message, ...details, seen: expect.any(Number) };
    expect(notes.map((note) => JSON.parse(note))).toEqual([{ error }]);
    expect(node.writes).toEqual([]);
  });

  test('a key or value may begin with a dash', async () => {
    const { run } = commandLine();
    await run('put flags - dash');
    expect((await run('get flags -')).output).toBe('dash');
    await run('put flags -- --x -5');
    expect((await run('get flags -- --x')).output).toBe('-5');
  });

  test('a switch that is given as 1 is on, and as 0 it is off', async () => {
    const { run } = commandLine();
    await run('put flags k v');
    const dry = await run('delete flags --prefix k --yes --dry-run=1');
    expect(dry).toMatchObject({ exitCode: 0, output: 'k\n' });
    expect((await run('put flags k other --if-absent=1')).exitCode).toBe(1);
    expect((await run('get flags k')).output).toBe('v');
    expect((await run('put flags k true --if-absent=0')).exitCode).toBe(0);
    expect((await run('put flags k --if-absent=false', 'read')).exitCode).toBe(0);
    expect((await run('get flags k')).output).toBe('read');
  });

  test('a damaged record is told of by list and export, which go past it and end with 1', async () => {
    const { run, runWords, node } = commandLine();
    for (const key of ['a', 'b', 'c']) await run(`put flags ${key} v`);
    node.damaged.add('b');
    const listed = await run('list flags');
    expect(listed).toMatchObject({ exitCode: 1, output: 'a\nc\n' });
    expect(listed.notes.join()).toMatch(/^the record of "b" is damaged/);
    const json = await run('list flags --json');
    expect(
      json.output
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { name: string }).name),
    ).toEqual(['a', 'c']);
    expect(json).toMatchObject({ exitCode: 1, notes: ['{"damaged":"b"}'] });
    const exported = await run('export flags');
    expect(
      exported.output
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { key: string }).key),
    ).toEqual(['a', 'c']);
    expect(exported).toMatchObject({ exitCode: 1 });
    expect(exported.notes.at(-1)).toBe('1 damaged records are missing from the export');
    const output = join(folder, 'damaged.ndjson');
    expect(await runWords(['export', 'flags', '--output', output])).toMatchObject({ exitCode: 1 });
    expect(readFileSync(output, 'utf8').trim().split('\n')).toHaveLength(2);
  });

  test('a folder without a backup fails with its code, and as an object with --json', async () => {
    const message = `${folder} holds no backup`;
    const failed = await commandLine().runWords(['backup', 'verify', '--from', folder]);
    expect(failed).toMatchObject({ exitCode: 1, output: '', notes: [`meridian: NOT_FOUND: ${message}`] });
    const { notes } = await commandLine().runWords(['backup', 'verify', '--from', folder, '--json']);
    expect(JSON.parse(notes[0] ?? '')).toMatchObject({ error: { code: 'NOT_FOUND', message } });
  });

  test('a missing key exits 3 and prints nothing', async () => {
    for (const words of ['get flags nothing', 'get flags nothing --json']) {
      expect(await commandLine().run(words)).toMatchObject({ exitCode: 3, output: '', notes: [] });
    }
  });

  test('--verbose tells version, source and age on standard error, --json all of it on standard output', async () => {
    const { run } = commandLine();
    const version = (await run('put flags a on --metadata {"by":"ops"} --ttl 60s')).output.trim();
    const { output, notes } = await run('get flags a --verbose');
    expect(output).toBe('on');
    expect(notes.join('\n')).toContain(version);
    expect(notes.join('\n')).toContain('at most 0.120 s');
    expect(JSON.parse((await run('get flags a --json')).output)).toMatchObject({
      ...{ key: 'a', value: 'on', version, source: 'cache', staleness: 0.12, metadata: { by: 'ops' }, expiration: 60 },
    });
  });

  test('an answer that is past what was asked for says so, if only on standard error', async () => {
    const { run, node } = commandLine();
    await run('put flags a on');
    node.past = true;
    const { output, notes } = await run('get flags a --max-staleness 50ms');
    expect({ output, notes }).toEqual({ output: 'on', notes: ['older than what was asked for: at most 0.120 s'] });
    expect((await run('get flags a --json')).notes).toEqual([]);
  });

  test('a key with line ends or tabs is one line of keys, of those to be deleted, and one column of a watch', async () => {
    const { run, runWords } = commandLine();
    await runWords(['put', 'flags', 'a\n\tb', 'on']);
    expect((await run('list flags')).output).toBe('"a\\n\\tb"\n');
    expect((await run('delete flags --prefix a --dry-run')).output).toBe('"a\\n\\tb"\n');
    expect(JSON.parse((await run('list flags --json')).output)).toMatchObject({ name: 'a\n\tb' });
  });

  test('so do keys, their number and an export', async () => {
    const { run, node } = commandLine();
    await run('put flags a on');
    const commands = ['list flags --max-staleness 50ms', 'count flags --max-staleness 50ms', 'export flags'];
    for (const command of commands) expect((await run(command)).notes, command).toEqual([]);
    node.past = true;
    const age = 'older than what was asked for: at most 0.120 s';
    for (const command of commands) expect((await run(command)).notes, command).toEqual([age]);
    const said = { past: true, staleness: 0.12 };
    expect((await run('list flags --json')).notes.map((note) => JSON.parse(note))).toEqual([said]);
    expect(JSON.parse((await run('count flags --json')).output)).toMatchObject({ keys: 1, ...said });
    expect((await run('export flags --json')).notes.map((note) => JSON.parse(note))).toEqual([{ records: 1, ...said }]);
  });

  test('a value that is no text is base64 in JSON', async () => {
    const { run } = commandLine();
    await run('put flags a', Uint8Array.of(255));
    expect(JSON.parse((await run('get flags a --json')).output)).toMatchObject({ value: '/w==', base64: true });
  });

  test('a condition that is not met exits 1 with code and message', async () => {
    const { run } = commandLine();
    await run('put flags a 1');
    const { exitCode, notes } = await run('put flags a 2 --if-absent');
    expect({ exitCode, notes }).toEqual({ exitCode: 1, notes: ['meridian: FAILED_PRECONDITION: there is a value'] });
    const asJson = await run('put flags a 2 --if-absent --json');
    expect(JSON.parse(asJson.notes[0] ?? '')).toMatchObject({
      error: { code: 'FAILED_PRECONDITION', versionFound: expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
  });

  test('a delete prints the version of the deletion', async () => {
    const { run } = commandLine();
    await run('put flags a 1');
    expect((await run('delete flags a')).output).toMatch(/^[0-9a-f]{32}\n$/);
    expect((await run('get flags a')).exitCode).toBe(3);
  });
});

describe('durability', () => {
  test.each(['put flags k v', 'delete flags k'])(
    '%s says which level was reached in time, and is done',
    async (words) => {
      const { run } = commandLine();
      const { exitCode, notes } = await run(`${words} --durability all`);
      expect({ exitCode, notes }).toEqual({
        exitCode: 0,
        notes: ['written, but all was not reached in time: it is durable at level local so far'],
      });
      expect((await run(`${words} --durability local`)).notes).toEqual([]);
      expect((await run(words)).notes).toEqual([]);
    },
  );
});

describe('the connection', () => {
  test('endpoint and timeout come from flag or variable, and several endpoints keep their order', async () => {
    const { run, connections } = commandLine({ MERIDIAN_TIMEOUT: '5s' });
    await run('get flags k --endpoint a:1 --endpoint b:2');
    expect(connections).toMatchObject([
      {
        endpoints: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        timeoutMs: 5000,
        protocol: 'pipeline',
      },
    ]);
  });

  test('a node that cannot be reached exits 1 and says so', async () => {
    const { run, node } = commandLine();
    node.failure = new MeridianError('UNAVAILABLE', 'no connection', { reason: 'not-connected' });
    expect(await run('list flags')).toMatchObject({ exitCode: 1, notes: ['meridian: UNAVAILABLE: no connection'] });
  });
});

describe('lists', () => {
  test('all pages are printed, or as many keys as asked for with the cursor that goes on', async () => {
    const { run, node } = commandLine();
    const lines = Array.from({ length: 1234 }, (_, i) => `{"key":"k${String(i).padStart(4, '0')}","value":"v"}`);
    await run('import flags - --format ndjson', lines.join('\n'));
    expect(node.records.size).toBe(1234);
    expect((await run('list flags')).output.split('\n')).toHaveLength(1235);
    const first = await run('list flags --limit 2');
    expect(first.output).toBe('k0000\nk0001\n');
    expect(first.notes).toEqual(['more keys follow: --cursor k0001']);
    expect((await run('list flags --limit 1 --cursor k0001')).output).toBe('k0002\n');
    const asJson = (await run('list flags --limit 1 --json')).output.trim().split('\n');
    expect(asJson.map((line) => JSON.parse(line))).toMatchObject([{ name: 'k0000', bytes: 1 }, { cursor: 'k0000' }]);
    expect((await run('list flags --prefix k123')).notes).toEqual([]);
  });
});

describe('import and export', () => {
  test.each(['ndjson', 'csv', 'workers-kv'])('%s: what one namespace exports, another imports', async (format) => {
    const from = commandLine();
    await from.run('put flags text héllo --metadata {"a":1}');
    await from.run('put flags bytes', Uint8Array.of(0, 255));
    const { output, exitCode } = await from.run(`export flags --format ${format}`);
    expect(exitCode).toBe(0);
    const to = commandLine();
    expect((await to.run(`import flags - --format ${format}`, output)).output).toBe('2 records imported\n');
    expect([...(await to.run('get flags bytes')).bytes]).toEqual([0, 255]);
    expect(JSON.parse((await to.run('get flags text --json')).output)).toMatchObject({
      value: 'héllo',
      metadata: { a: 1 },
    });
  });

  test('an import that is refused half-way goes on behind what was acknowledged', async () => {
    const { run, runWords, node } = commandLine();
    const file = join(folder, 'half.ndjson');
    const good = Array.from({ length: 700 }, (_, i) => JSON.stringify({ key: `k${i}`, value: `${i}` }));
    // Of the same size and beginning as the mended file, as a file is that was mended far from its beginning; its time counts too.
    const bad = '{"key":"last","value":}';
    const padding = `{"key":"p","value":"${'x'.repeat(1_100_000)}"}`;
    writeFileSync(file, [...good, padding, bad].join('\n'));
    utimesSync(file, 1, 1);
    const failed = await runWords(['import', 'flags', file, '--concurrency', '1']);
    expect(failed.exitCode).toBe(2);
    expect(failed.notes.at(-1)).toContain('record 702 is no JSON');
    expect(failed.notes.join('\n')).toContain('run it again to go on');
    const written = node.writes.flatMap(({ mutations }) => mutations).length;
    writeFileSync(file, [...good, padding, bad.replace(':}', ':1}').replace('last', 'las')].join('\n'));
    utimesSync(file, 1, 1);
    const resumed = await runWords(['import', 'flags', file, '--json']);
    expect(resumed.notes[0]).toMatch(/^going on behind record \d+/);
    expect(JSON.parse(resumed.output)).toEqual({ records: 702 });
    expect((await run('get flags las')).output).toBe('1');
    expect(node.writes.flatMap(({ mutations }) => mutations).length - written).toBeLessThan(702);
    const again = await runWords(['import', 'flags', file]);
    expect(again.notes).toEqual([]);
    writeFileSync(file, bad);
    const nothing = await runWords(['import', 'flags', file]);
    expect(nothing.notes[0]).toBe('stopped with 0 records acknowledged');
  });

  test('an export goes to a file, in the format that its name says', async () => {
    const { run, runWords } = commandLine();
    await run('put flags a 1');
    const file = join(folder, 'out.json');
    const { output, notes } = await runWords(['export', 'flags', '--output', file]);
    expect({ output, notes }).toEqual({ output: '', notes: ['1 records exported'] });
    expect((await runWords(['import', 'flags', file])).output).toBe('1 records imported\n');
  });
});

test('a watch prints one line a change, with cursors in JSON, and ends when told', async () => {
  const stamp = makeStamp({ wallMs: 1, counter: 0, log: fakeLog });
  const event = { stamp, position: { log: fakeLog, sequence: 1 } };
  const script = [
    { kind: 'put', key: 'a', value: Buffer.from('on'), cursor: 'c1', ...event },
    { kind: 'delete', key: 'a', ...event },
  ] as const;
  const watch = async (words: string) => {
    const line = commandLine();
    line.node.watchScripts = [[...script]];
    const running = line.run(words);
    await expect.poll(() => line.node.watches.length).toBe(2);
    line.stop.abort();
    return running;
  };
  expect(await watch('watch flags')).toMatchObject({
    exitCode: 0,
    output: `put\ta\t${stamp}\t2\ndelete\ta\t${stamp}\n`,
  });
  const { output } = await watch('watch flags a --json --since c0');
  expect(JSON.parse(output.split('\n')[0] ?? '')).toMatchObject({ kind: 'put', key: 'a', value: 'on', cursor: 'c1' });
});

test('status does not take a node for another member that was once at its address', async () => {
  const { run, node } = commandLine();
  const gone = { name: 'wiped', role: 'origin', id: 'b'.repeat(16), region: 'test', address: 'host:1' } as const;
  node.otherMembers = [{ ...gone, connected: false }];
  expect((await run('status')).output).toMatch(/^wiped .* unknown: fake a{16} answers there/m);
});

test('of a member that is removed while it runs it is said that it may come back', async () => {
  const { run, node } = commandLine();
  const other = { name: 'lhr', role: 'origin', id: 'b'.repeat(16), region: 'test' } as const;
  for (const connected of [true, false]) {
    node.otherMembers = [{ ...other, connected }];
    const { output, notes } = await run('member remove lhr --yes');
    expect(output).toBe(`lhr (${other.id}) is removed\n`);
    const note = 'lhr runs still: unless it is stopped it joins again, as another member';
    expect(notes).toEqual(connected ? [note] : []);
  }
});

test('namespaces, status and members are printed for a person and for a program', async () => {
  const { run } = commandLine();
  expect((await run('namespace create new')).output).toMatch(/^[0-9a-f]{32}\n$/);
  expect((await run('namespace list')).output).toMatch(/^[0-9a-f]{32}\tflags\n$/);
  expect(JSON.parse((await run('namespace rename a b --json')).output)).toMatchObject({ title: 'b' });
  expect(await run('namespace create taken')).toMatchObject({ exitCode: 1 });
  expect((await run('namespace create --help')).output).toContain('1 to 512 bytes');
  const status = await run('status');
  expect(status.output).toContain('origin fake');
  expect(status.output).toContain('in test at 38.9,-77.4,');
  expect(status.output).toContain('note: a note');
  expect(status.output).toContain(`writes in log ${fakeLog}`);
  expect(status.output).toContain('log 0000000000000009 of its past is not sealed yet: waits for iad');
  expect(JSON.parse((await run('status --json')).output)).toMatchObject({
    name: 'fake',
    cluster: 'c',
    uptimeSeconds: 1,
    log: fakeLog,
    unsealed: [{ log: '0000000000000009', waitsFor: ['iad'] }],
    hotKeys: [{ title: 'flags', reads: 1024.4, error: 3 }],
    scopes: [{ kind: 'all', filter: ['*'], covered: {} }],
  });
  expect(status.output).not.toContain('hot key');
  expect((await run('status --hot-keys')).output).toMatch(/\nfake +flags +"beta\\u001b\[2J" +1024 +3\n/);
  const members = (await run('member list')).output;
  expect(members).toContain('connected');
  expect(members).toMatch(new RegExp(`2 \\(1 not sealed\\) +${fakeLog}`));
  expect(JSON.parse((await run('member list --json')).output)).toMatchObject({ name: 'fake' });
});

describe('what a person or a script may expect', () => {
  test('a namespace is deleted only by who says yes, and where nobody can be asked, by --yes', async () => {
    const { run } = commandLine();
    expect(await run('namespace delete flags')).toMatchObject({ exitCode: 2, output: '' });
    expect((await run('namespace delete flags --yes')).exitCode).toBe(0);
    const person = commandLine({}, { keyboard: true });
    const agreed = await person.run('namespace delete flags', 'yes\n');
    expect(agreed).toMatchObject({ exitCode: 0, notes: [expect.stringContaining('Delete namespace flags with all')] });
    const refused = await person.run('namespace delete flags', 'y\n');
    expect(refused.exitCode).toBe(2);
    expect(refused.notes.at(-1)).toBe('meridian: nothing was changed');
  });

  test('on a terminal a value ends its line, and elsewhere it is its very bytes', async () => {
    for (const [value, shown] of [
      ['on', 'on\n'],
      ['line\n', 'line\n'],
    ] as const) {
      const line = commandLine({}, { screen: true });
      await line.runWords(['put', 'flags', 'a', value]);
      expect((await line.run('get flags a')).output).toBe(shown);
      expect((await line.run('get flags a --json')).output.trim().split('\n')).toHaveLength(1);
    }
  });

  test('variables that no option knows are warned about, and the command runs all the same', async () => {
    const { run } = commandLine({ MERIDIAN_ENDPIONT: 'a:1', MERIDIAN_ENDPOINT: 'b:1' });
    expect(await run('put flags a 1')).toMatchObject({
      exitCode: 0,
      notes: ['no option knows the variable MERIDIAN_ENDPIONT'],
    });
  });

  test('options --json tells each option of each command once', async () => {
    const { output } = await commandLine().run('options --json');
    const rows = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.find(({ command, flag }) => command === 'edge' && flag === 'upstream')).toEqual({
      ...{ command: 'edge', flag: 'upstream', variable: 'MERIDIAN_UPSTREAM', value: 'host:port', list: true },
      ...{ required: true, help: expect.any(String) },
    });
    expect(rows.find(({ command, flag }) => command === 'client' && flag === 'timeout')).toMatchObject({
      default: '30s',
    });
    expect(new Set(rows.map(({ command, variable }) => `${command} ${variable}`)).size).toBe(rows.length);
    // A secret of a node is no flag: the list of processes would show it.
    expect(
      rows.filter(({ flag }) => flag === undefined).map(({ command, variable }) => `${command} ${variable}`),
    ).toEqual(['origin', 'edge'].flatMap((node) => [`${node} MERIDIAN_ADMIN_TOKEN`, `${node} MERIDIAN_TOKEN`]));
  });

  test('help says how a list is given', async () => {
    const help = (await commandLine().run('edge --help')).output.replaceAll(/\s+/g, ' ');
    expect(help).toContain('MERIDIAN_REPLICATE, by commas');
  });
});
