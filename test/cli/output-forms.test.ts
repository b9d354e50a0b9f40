import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { MeridianError } from '../../src/model/errors.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import { fakeLog } from '../client/fake-node.ts';
import { commandLine } from './fake-terminal.ts';

async function filled() {
  const line = commandLine();
  await line.runWords(['put', 'flags', 'a', 'on', '--metadata', '{"by":"ops"}']);
  await line.runWords(['put', 'flags', 'b', 'two\nlines: yes', '--expires-at', '2099-01-01T00:00:00Z']);
  return line;
}

describe('--output', () => {
  it.each([
    'get flags b',
    'status',
    'count flags',
    'put flags c 1',
    'delete flags c',
    'namespace create x',
    'namespace home flags',
  ])('of one result, in YAML, says what it says in JSON: %s', async (words) => {
    const [asJson, asYaml] = [await filled(), await filled()];
    const json = (await asJson.run(`${words} --output json`)).output;
    const yaml = (await asYaml.run(`${words} --output yaml`)).output;
    expect(json.split('\n')).toHaveLength(2);
    expect(yaml).not.toBe(json);
    expect(parse(yaml)).toEqual(JSON.parse(json));
  });

  it.each(['list flags', 'list flags --limit 1', 'namespace list', 'member list', 'delete flags --prefix= --dry-run'])(
    'of several, in YAML, is one list of what stands in the lines of JSON: %s',
    async (words) => {
      const { run } = await filled();
      const json = (await run(`${words} --output json`)).output;
      const yaml = (await run(`${words} --output yaml`)).output;
      expect(yaml).toMatch(/^- /);
      expect(parse(yaml)).toEqual(
        json
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      );
    },
  );

  it('has values of any text, and none of several as an empty list', async () => {
    const { run } = await filled();
    expect((await run('list flags --prefix c --output yaml')).output).toBe('[]\n');
    expect((await run('list flags --prefix c --output json')).output).toBe('');
    expect((await run('get flags b --output yaml')).output).toContain('value: |-\n  two\n  lines: yes\n');
  });

  it.each(['get flags long', 'list flags --prefix long', 'watch flags'])(
    'has the digits of metadata as they are stored: %s',
    async (words) => {
      const { run, runWords, node } = await filled();
      const metadata = '{"id":12345678901234567890,"1":[0.12345678901234567890,-1e400,1.50],"s":"9007199254740993"}';
      await runWords(['put', 'flags', 'long', 'v', '--metadata', metadata]);
      const put = { kind: 'put', key: 'long', value: Buffer.from('v'), metadata } as const;
      const stamp = makeStamp({ wallMs: 1, counter: 0, log: fakeLog });
      const event = { ...put, stamp, position: { log: fakeLog, sequence: 1 } };
      const printed = async (form: string) => {
        node.watchScripts = [[event, new MeridianError('UNIMPLEMENTED', 'no more', { reason: 'over' })]];
        return (await run(`${words} --output ${form}`)).output;
      };
      expect(await printed('json')).toContain(`,"metadata":${metadata}}\n`);
      const yaml = await printed('yaml');
      for (const digits of ['id: 12345678901234567890', '- 0.12345678901234567890', '- -1e400', '"9007199254740993"']) {
        expect(yaml).toContain(`${digits}\n`);
      }
      expect(yaml).not.toContain('metadataText');
      expect([parse(yaml)].flat()).toMatchObject([{ metadata: JSON.parse(metadata) }]);
    },
  );

  it('has the digits of metadata for people too', async () => {
    const { run, runWords } = await filled();
    await runWords(['put', 'flags', 'long', 'v', '--metadata', '12345678901234567890']);
    expect((await run('get flags long --verbose')).notes).toContain('metadata   12345678901234567890');
    expect((await run('get flags b --verbose')).notes).toContain('metadata   null');
    expect(JSON.parse((await run('get flags b --json')).output)).toMatchObject({ metadata: null });
  });

  it('--json is short for json, and the default is for people', async () => {
    const { run } = await filled();
    expect((await run('list flags --json')).output).toBe((await run('list flags --output json')).output);
    expect((await run('list flags --output table')).output).toBe('a\nb\n');
    expect((await run('list flags')).output).toBe('a\nb\n');
  });

  it.each([
    ...['no', 'Yes', 'on', 'y', '12:30:45', '2026-12-01', '1_000', '0b1', '017', '~', '<<', '='],
    ...['a\u0085b', '\u2028', '\u007f', '\u009b', '\ufeffx', 'a\tb', 'two\nlines\u0085'],
  ])('is the text %j in YAML 1.1 too, which most programs read', async (text) => {
    const { runWords } = commandLine();
    await runWords(['put', 'flags', `k${text}`, text, '--metadata', JSON.stringify({ [text]: text })]);
    const { output } = await runWords(['get', 'flags', `k${text}`, '--output', 'yaml']);
    const json = JSON.parse((await runWords(['get', 'flags', `k${text}`, '--json'])).output);
    for (const version of ['1.1', '1.2'] as const) expect(parse(output, { version })).toEqual(json);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these end a line in YAML, or may not stand in it.
    expect(output).not.toMatch(/[\x00-\x09\x7f-\x9f\u2028\ufeff]|: =$/m);
  });

  it('tells a program of failures in JSON, which is YAML too', async () => {
    const { run } = commandLine();
    for (const form of ['--output yaml', '--output=json']) {
      const { exitCode, notes } = await run(`list flags --limit x ${form}`);
      expect([exitCode, JSON.parse(notes[0] ?? '')]).toMatchObject([2, { error: { code: 'USAGE' } }]);
    }
  });

  it.each([
    ['list flags --output xml', 'Choices: "table", "json", "yaml"'],
    ['list flags --json --output yaml', '--json and --output yaml exclude each other'],
  ])('%s is refused', async (words, why) => {
    const { exitCode, notes } = await commandLine().run(words);
    expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining(why)]);
  });
});
