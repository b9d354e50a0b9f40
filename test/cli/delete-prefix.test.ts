import { describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { commandLine, type Person } from './fake-terminal.ts';

async function filled(person: Person = {}) {
  const line = commandLine({}, person);
  for (const key of ['a/1', 'a/2', 'b/1']) await line.runWords(['put', 'flags', key, 'value']);
  return line;
}

describe('count', () => {
  it('counts keys, of a prefix where one is given, and their bytes for a program', async () => {
    const { run } = await filled();
    expect((await run('count flags')).output).toBe('3\n');
    expect((await run('count flags a/')).output).toBe('2\n');
    expect((await run('count flags c')).output).toBe('0\n');
    expect(JSON.parse((await run('count flags a/ --json')).output)).toEqual({ keys: 2, bytes: 10 });
  });

  it('says how many of them are damaged, and fails', async () => {
    const { run, node } = await filled();
    node.damaged.add('a/1');
    const { exitCode, output, notes } = await run('count flags');
    expect([exitCode, output, notes.join()]).toEqual([1, '3\n', expect.stringContaining('of 1 of them')]);
  });
});

describe('delete --prefix', () => {
  it('shows the keys with --dry-run, and deletes none', async () => {
    const { run } = await filled();
    const { exitCode, output, notes } = await run('delete flags --prefix a/ --dry-run');
    expect([exitCode, output, notes]).toEqual([0, 'a/1\na/2\n', ['2 keys would be deleted']]);
    expect((await run('count flags')).output).toBe('3\n');
  });

  it('tells how many there are and asks, and does nothing unless the answer is yes', async () => {
    const { run } = await filled({ keyboard: true });
    const refused = await run('delete flags --prefix a/', 'no\n');
    expect(refused.exitCode).toBe(2);
    expect(refused.notes[0]).toBe('Delete the keys that start with "a/" of flags? There are 2 now. Type yes to go on:');
    expect((await run('count flags')).output).toBe('3\n');
    expect((await run('delete flags --prefix a/', 'yes\n')).output).toBe('2 keys deleted\n');
    expect((await run('list flags')).output).toBe('b/1\n');
  });

  it('asks nobody where nobody is there: it wants --yes', async () => {
    const { run } = await filled();
    expect((await run('delete flags --prefix a/', '')).exitCode).toBe(2);
    expect((await run('delete flags --prefix a/ --yes --json')).output).toBe('{"prefix":"a/","deleted":2}\n');
    expect((await run('delete flags --prefix= --yes')).output).toBe('1 keys deleted\n');
    expect((await run('count flags')).output).toBe('0\n');
  });

  it.each([
    ['delete flags', 'either a key or --prefix'],
    ['delete flags a --prefix b', 'either a key or --prefix'],
    ['delete flags a --dry-run', '--dry-run goes with --prefix'],
    ['delete flags --prefix b --if-absent', 'does not go with --prefix'],
  ])('refuses %s', async (words, why) => {
    const { exitCode, notes } = await commandLine().run(words);
    expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining(why)]);
  });

  it('deletes more keys than one batch takes', async () => {
    const { run, runWords, node } = commandLine();
    const lines = Array.from({ length: 2500 }, (_, n) => JSON.stringify({ key: `k${n}`, value: '' }));
    await runWords(['import', 'flags', '-', '--format', 'ndjson'], lines.join('\n'));
    const before = node.calls.length;
    expect((await run('delete flags --prefix k --yes')).output).toBe('2500 keys deleted\n');
    expect((await run('count flags')).output).toBe('0\n');
    expect(node.calls.length).toBeGreaterThan(before + 2);
  });

  it('goes on where a node goes away for a moment, between pages and within a batch of deletions', async () => {
    const { run, node } = await filled();
    const write = node.write.bind(node);
    let failures = 2;
    node.write = async (...asked) => {
      if (failures-- > 0) throw new MeridianError('UNAVAILABLE', 'the node stops', { reason: 'unavailable' });
      return write(...asked);
    };
    const { exitCode, output, notes } = await run('delete flags --prefix a/ --yes');
    expect([exitCode, output, notes]).toEqual([0, '2 keys deleted\n', ['the node stops; trying again']]);
    failures = Number.POSITIVE_INFINITY;
    expect(await run('delete flags --prefix b/ --yes --retry 0s')).toMatchObject({ exitCode: 1 });
  });

  it('says where the level of durability that was asked for was not reached', async () => {
    const { run } = await filled();
    const { exitCode, output, notes } = await run('delete flags --prefix a/ --yes --durability all');
    expect([exitCode, output, notes]).toEqual([0, '2 keys deleted\n', [expect.stringContaining('local')]]);
  });
});
