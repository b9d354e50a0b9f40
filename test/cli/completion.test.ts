import { describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { FakeNode } from '../client/fake-node.ts';
import { commandLine } from './fake-terminal.ts';

async function filled() {
  const line = commandLine();
  for (const key of ['user:1', 'user:2', 'a b']) await line.runWords(['put', 'flags', key, 'v']);
  /** What is suggested, without descriptions. */
  const complete = async (...words: string[]) => {
    const { exitCode, output, notes } = await line.runWords(['complete', '--', ...words]);
    expect([exitCode, notes]).toEqual([0, []]);
    return output
      .split('\n')
      .filter(Boolean)
      .map((text) => text.split('\t')[0]);
  };
  return { ...line, complete };
}

describe('completion', () => {
  it.each([
    [['cop'], ['copy']],
    [
      ['namespace', ''],
      ['create', 'list', 'rename', 'home', 'delete'],
    ],
    [
      ['token', 'r'],
      ['rotate', 'revoke'],
    ],
    [['put', 'flags', 'k', 'v', '--dur'], ['--durability']],
    [['put', 'flags', 'k', 'v', '--durability', 'l'], ['local']],
    [['backup', '--wh'], ['--whole']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['export', 'flags', '--output', ''], [':files']],
    [['import', 'flags', ''], [':files']],
    [['origin', '--peer', 'a:1', 'b:1', '--na'], ['--name']],
    [['get', 'flags', 'k', ''], []],
    [['nonsense', ''], expect.arrayContaining(['get', 'put'])],
  ])('of %j suggests %j', async (words, expected) => {
    const { complete } = await filled();
    expect(await complete(...words)).toEqual(expected);
  });

  it.each([
    [['get', ''], ['flags']],
    [['get', 'x'], []],
    [
      ['get', 'flags', 'user:'],
      ['user:1', 'user:2'],
    ],
    [['get', '--verbose', '--endpoint', '127.0.0.1:1', 'flags', 'a'], ['a b']],
    [['delete', 'flags', '--prefix', 'user:1'], ['user:1']],
    [['delete', '--', 'flags', 'a'], ['a b']],
    [['namespace', 'delete', 'fl'], ['flags']],
  ])('of %j suggests what the cluster has: %j', async (words, expected) => {
    const { complete } = await filled();
    expect(await complete(...words)).toEqual(expected);
  });

  it('asks where the line says, the second side for a target, and for a second at the most', async () => {
    const { complete, connections, others } = await filled();
    others.set('127.0.0.1:9', new FakeNode());
    await complete('copy', 'flags', '--to-endpoint', '127.0.0.1:9', '--token', 'secret', 'fl');
    expect(connections.at(-1)).toMatchObject({
      endpoints: [{ host: '127.0.0.1', port: 9 }],
      token: 'secret',
      timeoutMs: 1000,
    });
  });

  it('shows a hundred keys, and that there are more, so that no shell takes their beginning for that of all', async () => {
    const { complete, runWords } = await filled();
    const lines = Array.from({ length: 150 }, (_, n) => JSON.stringify({ key: `k/${1000 + n}`, value: '' }));
    await runWords(['import', 'flags', '-', '--format', 'ndjson'], lines.join('\n'));
    const shown = await complete('get', 'flags', 'k');
    expect([shown.length, shown[0], shown.at(-2), shown.at(-1)]).toEqual([101, 'k/1000', 'k/1099', 'k…']);
  });

  it('leaves out what no line can hold', async () => {
    const { complete, runWords } = await filled();
    await runWords(['put', 'flags', 'line\nfeed', 'v']);
    expect(await complete('get', 'flags', 'li')).toEqual([]);
  });

  it('is silent, and succeeds, where the cluster fails or the line is nonsense', async () => {
    const { complete, node } = await filled();
    node.failure = new MeridianError('PERMISSION_DENIED', 'no', { reason: 'test' });
    expect(await complete('get', 'f')).toEqual([]);
    expect(await complete('get', '--timeout', 'soon', 'f')).toEqual([]);
    expect(await complete()).not.toEqual([]);
  });

  it('describes what it suggests, and is itself no command of the help', async () => {
    const { run } = commandLine();
    expect((await run('complete -- cou')).output).toBe('count\tPrint how many keys there are\n');
    expect((await run('--help')).output).not.toMatch(/meridian complete /);
    expect((await run('completion tcsh')).exitCode).toBe(2);
  });
});
