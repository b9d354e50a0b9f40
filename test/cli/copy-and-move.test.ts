import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { NamespaceId } from '../../src/model/namespace.ts';
import { FakeNode } from '../client/fake-node.ts';
import { type CommandLine, commandLine } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-copy-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface TwoSides extends CommandLine {
  readonly other: FakeNode;
}

const to = '--to-endpoint 127.0.0.1:9';

/** A node with some keys, and an empty one with another namespace. */
async function twoSides(): Promise<TwoSides> {
  const line = commandLine();
  const other = new FakeNode();
  other.namespaceId = '2'.repeat(32) as NamespaceId;
  line.others.set('127.0.0.1:9', other);
  await line.runWords(['put', 'flags', 'a/1', 'one', '--metadata', '{"n":12345678901234567890}']);
  await line.runWords(['put', 'flags', 'a/2', 'two', '--expires-at', '2099-01-01T00:00:00Z']);
  await line.runWords(['put', 'flags', 'b/1', 'three']);
  return { ...line, other };
}

function liveKeys(node: FakeNode): string[] {
  return [...node.records.values()].flatMap(({ kind, key }) => (kind === 'live' ? [key] : [])).sort();
}

describe('copy', () => {
  it('copies values, metadata with all their digits and expiry, of a prefix, under another one', async () => {
    const { run, node, other } = await twoSides();
    const { exitCode, output } = await run(`copy flags archive --prefix a/ --to-prefix old/ ${to}`);
    expect([exitCode, output]).toEqual([0, '2 keys copied\n']);
    expect(liveKeys(other)).toEqual(['old/1', 'old/2']);
    expect(other.records.get('old/1')).toMatchObject({ metadata: '{"n":12345678901234567890}' });
    expect(other.records.get('old/2')).toMatchObject({ expiresAt: Date.UTC(2099, 0, 1) / 1000 });
    expect(Buffer.from((other.records.get('old/1') as { value: Uint8Array }).value).toString()).toBe('one');
    expect(liveKeys(node)).toEqual(['a/1', 'a/2', 'b/1']);
  });

  it('shows with --dry-run what would go where, and writes nothing', async () => {
    const { run, other } = await twoSides();
    const shown = await run(`copy flags archive --prefix a/ --to-prefix old/ --dry-run ${to}`);
    expect([shown.output, shown.notes]).toEqual(['a/1 → old/1\na/2 → old/2\n', ['2 keys would be copied']]);
    const yaml = await run(`move flags archive --prefix b --dry-run --output yaml ${to}`);
    expect(yaml.output).toBe('- key: b/1\n  to: b/1\n');
    expect(other.writes).toEqual([]);
  });

  it.each(['copy flags flags', 'move flags 1 --prefix a/ --to-prefix a/b/', 'copy flags x --prefix a/ --to-prefix a'])(
    'refuses %s: source and target overlap',
    async (words) => {
      const { run, node } = await twoSides();
      const writes = node.writes.length;
      const { exitCode, notes } = await run(words);
      expect([exitCode, notes.join()]).toEqual([2, expect.stringContaining('neither may begin with the other')]);
      expect(node.writes.length).toBe(writes);
    },
  );

  it('renames a prefix within a namespace', async () => {
    const { run, node } = await twoSides();
    expect((await run('move flags flags --prefix a/ --to-prefix c/')).output).toBe('2 keys moved\n');
    expect(liveKeys(node)).toEqual(['b/1', 'c/1', 'c/2']);
  });

  it('goes on with --checkpoint where it was interrupted, and removes that file in the end', async () => {
    const { run, runWords, other } = await twoSides();
    const lines = Array.from({ length: 3500 }, (_, n) => JSON.stringify({ key: `k${n + 10_000}`, value: 'v' }));
    await runWords(['import', 'flags', '-', '--format', 'ndjson'], lines.join('\n'));
    const write = other.write.bind(other);
    let writes = 0;
    other.write = (request, call) => {
      if (++writes === 3) throw new MeridianError('DATA_LOSS', 'broken', { reason: 'test' });
      return write(request, call);
    };
    const words = `copy flags archive --concurrency 1 --checkpoint ${join(folder, 'copy')} ${to}`;
    const broken = await run(words);
    expect([broken.exitCode, broken.notes[0]]).toEqual([1, 'stopped with 2000 keys copied; run it again to go on']);
    const writesBefore = other.writes.length;
    const { output, notes } = await run(words);
    expect([output, notes]).toEqual(['3503 keys copied\n', ['going on behind key 2000, where the last copy stopped']]);
    expect(liveKeys(other)).toHaveLength(3503);
    const written = other.writes.slice(writesBefore).flatMap(({ mutations }) => mutations);
    expect(written).toHaveLength(1503);
    expect(existsSync(join(folder, 'copy'))).toBe(false);
  });

  it('fails for what an interrupted run passed by as damaged', async () => {
    const { run, runWords, node, other } = await twoSides();
    const lines = Array.from({ length: 2500 }, (_, n) => JSON.stringify({ key: `k${n + 10_000}`, value: 'v' }));
    await runWords(['import', 'flags', '-', '--format', 'ndjson'], lines.join('\n'));
    for (const key of ['k10005', 'k12400']) node.damaged.add(key);
    const write = other.write.bind(other);
    other.write = (request, call) => {
      if (other.writes.length === 1) throw new MeridianError('DATA_LOSS', 'broken', { reason: 'test' });
      return write(request, call);
    };
    const words = `copy flags archive --concurrency 1 --checkpoint ${join(folder, 'damaged')} --json ${to}`;
    expect((await run(words)).exitCode).toBe(1);
    other.write = write;
    const { exitCode, output, notes } = await run(words);
    expect(notes[0]).toBe('going on behind key 999, where the last copy stopped');
    expect([exitCode, JSON.parse(output)]).toEqual([1, { copied: 2501, damaged: 2 }]);
  });

  it('passes damaged records by, names them, and fails', async () => {
    const { run, node, other } = await twoSides();
    node.damaged.add('a/1');
    const { exitCode, output, notes } = await run(`copy flags archive ${to}`);
    expect([exitCode, output]).toEqual([1, '2 keys copied, 1 damaged ones passed by\n']);
    expect(notes.join()).toContain('"a/1" is damaged');
    expect(liveKeys(other)).toEqual(['a/2', 'b/1']);
  });

  it('shows nothing of the first side to a second one that has its own file', async () => {
    const { run, connections } = await twoSides();
    await run('copy flags archive --token secret-of-the-first --to-config test/cli/other-side.yaml');
    const [first, second] = connections.slice(-2);
    expect(first).toMatchObject({ token: 'secret-of-the-first' });
    expect(second).toMatchObject({ endpoints: [{ host: '127.0.0.1', port: 9 }], token: undefined });
  });
});

describe('move', () => {
  it('deletes what was acknowledged there', async () => {
    const { run, node, other } = await twoSides();
    const { exitCode, output } = await run(`move flags archive --prefix a/ --json ${to}`);
    expect([exitCode, JSON.parse(output)]).toEqual([0, { moved: 2 }]);
    expect([liveKeys(node), liveKeys(other)]).toEqual([['b/1'], ['a/1', 'a/2']]);
  });

  it('leaves a key that changed since it was read, names it, and moves it the next time', async () => {
    const { run, runWords, node, other } = await twoSides();
    const write = other.write.bind(other);
    other.write = async (request, call) => {
      other.write = write;
      await runWords(['put', 'flags', 'a/2', 'newer']);
      return write(request, call);
    };
    const { exitCode, output, notes } = await run(`move flags archive ${to}`);
    expect([exitCode, output]).toEqual([
      1,
      '3 keys moved, 1 of them not deleted here, as they changed meanwhile: run it again\n',
    ]);
    expect(notes.join()).toContain('"a/2" changed or went away meanwhile');
    expect([liveKeys(node), liveKeys(other)]).toEqual([['a/2'], ['a/1', 'a/2', 'b/1']]);
    expect((await run(`move flags archive ${to}`)).output).toBe('1 keys moved\n');
    expect(liveKeys(node)).toEqual([]);
    expect(Buffer.from((other.records.get('a/2') as { value: Uint8Array }).value).toString()).toBe('newer');
  });

  it('takes a lost answer to its deletion for what it is, and does not report the key', async () => {
    const { run, node } = await twoSides();
    const write = node.write.bind(node);
    node.write = async (request, call) => {
      node.write = write;
      await write(request, call);
      throw new MeridianError('DEADLINE_EXCEEDED', 'too late', { reason: 'test' });
    };
    expect(await run(`move flags archive ${to}`)).toMatchObject({ exitCode: 0, output: '3 keys moved\n' });
    expect(liveKeys(node)).toEqual([]);
  });

  it.each([
    ['the target refuses', 'DATA_LOSS'],
    ['the target is away', 'UNAVAILABLE'],
  ] as const)('deletes nothing where %s', async (_, code) => {
    const { run, node, other } = await twoSides();
    other.write = async () => {
      throw new MeridianError(code, 'no', { reason: 'test' });
    };
    const { exitCode, notes } = await run(`move flags archive --retry 0s ${to}`);
    expect([exitCode, notes[0]]).toEqual([1, 'stopped with 0 keys moved; run it again to go on']);
    expect(liveKeys(node)).toEqual(['a/1', 'a/2', 'b/1']);
  });

  it('deletes nothing where the level asked for is not reached', async () => {
    const { run, node } = await twoSides();
    const { exitCode, notes } = await run(`move flags archive --durability all --retry 0s ${to}`);
    expect([exitCode, notes.join()]).toEqual([1, expect.stringContaining('all was not reached in time')]);
    expect(liveKeys(node)).toEqual(['a/1', 'a/2', 'b/1']);
  });
});
