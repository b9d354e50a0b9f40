import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { entriesPatiently, keysPatiently, type Reading } from '../../../src/cli/transfer/read-patiently.ts';
import { type ErrorCode, MeridianError } from '../../../src/model/errors.ts';
import { fakeCluster } from '../../client/fake-cluster.ts';
import type { FakeNode } from '../../client/fake-node.ts';
import { type CommandLine, commandLine } from '../fake-terminal.ts';
import { leapingClock } from '../leaping-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-read-patiently-'));
afterAll(() => rmSync(folder, { recursive: true }));

const names = Array.from({ length: 2500 }, (_, n) => `k${String(n).padStart(4, '0')}`);

async function filled(): Promise<CommandLine> {
  const line = commandLine();
  const file = join(folder, 'in.ndjson');
  writeFileSync(file, names.map((key) => JSON.stringify({ key, value: `v${key}` })).join('\n'));
  await line.runWords(['import', 'flags', file]);
  return line;
}

/** The calls of these numbers fail, counted from 1. A client asks its one endpoint twice. */
function failing(
  node: FakeNode,
  call: 'list' | 'getMany',
  fails: (nth: number) => boolean,
  code: ErrorCode = 'UNAVAILABLE',
) {
  const whole = node[call].bind(node) as (...parts: unknown[]) => Promise<never>;
  const count = { calls: 0 };
  node[call] = async (...parts: unknown[]) => {
    if (fails(++count.calls)) throw new MeridianError(code, 'away', { reason: 'test' });
    return whole(...parts);
  };
  return count;
}

const out = join(folder, 'out.ndjson');

describe('a node that goes away for a moment', () => {
  it.each([
    ['list flags', 'list'],
    ['count flags', 'list'],
    ['export flags', 'list'],
    ['export flags', 'getMany'],
    [`export flags --output ${out}`, 'getMany'],
    ['diff flags --to-namespace flags', 'list'],
    ['diff flags --to-namespace flags', 'getMany'],
    ['delete flags --prefix k --dry-run', 'list'],
    ['copy flags flags --prefix k --to-prefix x/ --dry-run', 'list'],
    ['copy flags flags --prefix k --to-prefix x/', 'list'],
    ['copy flags flags --prefix k --to-prefix x/', 'getMany'],
    ['move flags flags --prefix k --to-prefix x/', 'getMany'],
  ] as const)('does not end %s (%s), which says that it tries again', async (words, call) => {
    const [sound, broken] = [await filled(), await filled()];
    const expected = await sound.run(words);
    const file = words.includes(out) ? readFileSync(out, 'utf8') : '';
    const first = call === 'list' ? 3 : 12;
    failing(broken.node, call, (nth) => nth >= first && nth < first + 4);
    const { notes, ...outcome } = await broken.run(words);
    expect(outcome).toEqual({ exitCode: expected.exitCode, output: expected.output, bytes: expected.bytes });
    // Each of the sides of a diff says so.
    const sides = words.startsWith('diff') ? 2 : 1;
    expect(notes).toEqual([...Array<string>(sides).fill('away; trying again'), ...expected.notes]);
    if (words.includes(out)) expect(readFileSync(out, 'utf8')).toBe(file);
    expect([...broken.node.records.keys()].sort()).toEqual([...sound.node.records.keys()].sort());
  });

  it('is told of in JSON to programs', async () => {
    const line = await filled();
    failing(line.node, 'list', (nth) => nth === 2 || nth === 3);
    const { notes, output } = await line.run('count flags --json');
    expect(JSON.parse(output)).toMatchObject({ keys: names.length });
    expect(notes.map((note) => JSON.parse(note) as unknown)).toEqual([
      { retrying: { code: 'UNAVAILABLE', message: 'away' } },
    ]);
  });

  it.each(['list', 'count', 'export'])('at the first call of %s it is told at once', async (verb) => {
    const line = await filled();
    const count = failing(line.node, 'list', () => true);
    const { exitCode, notes } = await line.run(`${verb} flags`);
    expect({ exitCode, notes, calls: count.calls }).toEqual({
      exitCode: 1,
      notes: ['meridian: UNAVAILABLE: away'],
      calls: 2,
    });
  });

  it('with --retry 0s it is not asked again, and what does not pass never is', async () => {
    const line = await filled();
    failing(line.node, 'list', (nth) => nth >= 2);
    expect((await line.run('count flags --retry 0s')).notes).toEqual(['meridian: UNAVAILABLE: away']);
    const other = await filled();
    failing(other.node, 'list', (nth) => nth === 2, 'PERMISSION_DENIED');
    expect((await other.run('count flags')).notes).toEqual(['meridian: PERMISSION_DENIED: away']);
  });
});

describe('a reading', () => {
  const reading = (retryMs: number, noted: string[] = []): Reading => ({
    ...{ retryMs, clock: leapingClock(), random: { fraction: () => 0.5, hex: () => '' } },
    signal: new AbortController().signal,
    retrying: ({ message }) => noted.push(message),
  });

  async function namespaceOf(count: number) {
    const { cluster, node } = fakeCluster();
    const namespace = cluster.namespace('flags');
    for (let first = 0; first < count; first += 100) {
      await namespace.write(names.slice(first, first + 100).map((key) => ({ kind: 'put', key, value: key })));
    }
    return { namespace, node };
  }

  it('ends where the node stays away for longer than it is asked again', async () => {
    const { namespace, node } = await namespaceOf(1500);
    const count = failing(node, 'list', (nth) => nth > 1);
    const seen: string[] = [];
    const run = async () => {
      for await (const { name } of keysPatiently(namespace, reading(30_000), {})) seen.push(name);
    };
    await expect(run()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(seen).toEqual(names.slice(0, 1000));
    expect(count.calls).toBeGreaterThan(10);
    expect(count.calls).toBeLessThan(40);
  });

  it('tells each key once, and each damaged one, however often it breaks off', async () => {
    const { namespace, node } = await namespaceOf(2500);
    const damaged = new Set(['k0007', 'k1203', 'k2499']);
    const isBroken = (keys: readonly string[]) => keys.some((key) => damaged.has(key));
    const [one, many] = [node.get.bind(node), node.getMany.bind(node)];
    const lost = new MeridianError('DATA_LOSS', 'damaged', { reason: 'test' });
    node.get = async (request, call) => {
      if (isBroken([request.key])) throw lost;
      return one(request, call);
    };
    node.getMany = async (request, call) => {
      if (isBroken(request.keys)) throw lost;
      return many(request, call);
    };
    const away = new Set([5, 6, 7, 8, 15, 16, 27, 28, 50, 51]);
    failing(node, 'getMany', (nth) => away.has(nth));
    const [seen, passed, noted]: [string[], string[], string[]] = [[], [], []];
    const asked = { onDamaged: (name: string) => passed.push(name) };
    for await (const { name } of entriesPatiently(namespace, reading(30_000, noted), asked)) seen.push(name);
    expect(seen).toEqual(names.filter((name) => !damaged.has(name)));
    expect(passed).toEqual([...damaged]);
    expect(noted.length).toBeGreaterThan(2);
  });
});
