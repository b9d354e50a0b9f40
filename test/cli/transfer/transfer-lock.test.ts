import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { type CommandLine, commandLine } from '../fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-transfer-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

const input = join(folder, 'in.ndjson');
const other = join(folder, 'other.ndjson');
const lines = '{"key":"a","value":"1"}\n{"key":"b","value":"2"}\n';

beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  for (const path of [input, other]) writeFileSync(path, lines);
});

/** Runs a command whose first call of the node waits until a second one has run. Returns how both ended. */
async function together(first: readonly string[], second: readonly string[], called: 'write' | 'list') {
  const [line, later] = [commandLine(), commandLine()];
  await line.run('put flags k v');
  const rest = pausing(line, called);
  const running = line.runWords(first);
  await rest.reached;
  const refused = await later.runWords(second);
  rest.goOn();
  return { ended: await running, refused, written: later.node.writes.length };
}

function pausing({ node }: CommandLine, called: 'write' | 'list') {
  let goOn = () => {};
  const going = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    const call = node[called].bind(node) as (...parts: unknown[]) => Promise<never>;
    node[called] = async (...parts: unknown[]) => {
      resolve();
      await going;
      return call(...parts);
    };
  });
  return { reached, goOn };
}

const skipping = ['--on-error', 'skip', '--skipped', join(folder, 'skipped')];
const output = ['--output', join(folder, 'out.ndjson')];
const copying = ['copy', 'flags', 'flags', '--to-prefix', 'copy/', '--prefix', 'k', '--checkpoint', join(folder, 'c')];

test.each([
  ['imports of one file', ['import', 'flags', input], ['import', 'flags', input], 'write'],
  [
    'imports with one checkpoint',
    ['import', 'flags', input],
    ['import', 'flags', other, '--checkpoint', `${input}.meridian-import`],
    'write',
  ],
  [
    'imports into one file of skipped records',
    ['import', 'flags', input, ...skipping],
    ['import', 'flags', other, ...skipping],
    'write',
  ],
  ['exports into one file', ['export', 'flags', ...output], ['export', 'flags', ...output], 'list'],
  ['copies with one checkpoint', copying, copying, 'list'],
] as const)(
  'of two %s the second is refused, and the first one ends as if it were alone',
  async (_what, first, second, called) => {
    const { ended, refused, written } = await together(first, second, called);
    expect(refused).toMatchObject({ exitCode: 1, output: '' });
    expect(refused.notes.at(-1)).toMatch(
      new RegExp(
        `^meridian: FAILED_PRECONDITION: process ${process.pid} on .* writes ${folder}.* already: wait for its end`,
      ),
    );
    expect({ written, exitCode: ended.exitCode }).toEqual({ written: 0, exitCode: 0 });
    expect(readdirSync(folder).filter((name) => name.endsWith('lock'))).toEqual([]);
    expect((await commandLine().runWords(second)).exitCode).toBe(0);
  },
);

test('imports of one file with a checkpoint each run beside each other', async () => {
  const own = ['import', 'flags', input, '--checkpoint', join(folder, 'own')];
  const { ended, refused } = await together(['import', 'flags', input], own, 'write');
  expect([ended.exitCode, refused.exitCode]).toEqual([0, 0]);
  expect(readFileSync(input, 'utf8')).toBe(lines);
});
