import { describe, expect, it } from 'vitest';
import { type Look, topTables } from '../../src/cli/top/top-table.ts';
import type { NodeStatus } from '../../src/model/cluster.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { LogId, MemberId } from '../../src/model/position.ts';
import { FakeNode } from '../client/fake-node.ts';
import { commandLine } from './fake-terminal.ts';

const [logA, logB] = ['000000000000000a' as LogId, '000000000000000b' as LogId];
const noVector: ReadonlyMap<LogId, number> = new Map();

function statusOf(covered: ReadonlyMap<LogId, number>, more: Partial<NodeStatus> = {}): NodeStatus {
  return {
    node: { name: 'fra', role: 'edge', id: 'e1', region: 'eu' },
    clusterId: 'c1',
    version: '1.0.0',
    ready: true,
    readOnly: false,
    notes: [],
    uptimeMs: 60_000,
    scopes: [{ kind: 'cache', filter: ['*'], state: 'live', covered, floor: noVector, stable: noVector }],
    followers: [],
    ...more,
  };
}

function lookAt(status: NodeStatus, atMs: number): Look {
  return { views: [{ member: { ...status.node, connected: true }, status }], atMs };
}

/** The cells of a node's line, by their headings. */
function cellsOf(text: string): Record<string, string> {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.startsWith('node '));
  const [headings = '', row = ''] = lines.slice(at);
  const starts = [...headings.matchAll(/(?<=^| {2})\S/g)].map(({ index }) => index);
  const cells = (line: string) => starts.map((start, index) => line.slice(start, starts[index + 1]).trim());
  const values = cells(row);
  return Object.fromEntries(cells(headings).map((heading, index) => [heading, values[index] ?? '']));
}

describe('what top shows', () => {
  it('is unknown where nobody can say, and never a zero', () => {
    const first = cellsOf(topTables(lookAt(statusOf(new Map([[logA, 5]])), 0), undefined, 5));
    expect(first).toMatchObject({ 'proven age': 'unknown', 'changes/s': 'unknown', 'hit rate': 'unknown', behind: '' });
    const scanning = { name: 'sin', role: 'edge', id: 'e2', scope: 'copy', state: 'scanning' } as const;
    const behind = cellsOf(topTables(lookAt(statusOf(noVector, { followers: [scanning] }), 0), undefined, 5));
    expect(behind).toMatchObject({ followers: '1', behind: 'unknown' });
  });

  it('is the growth of what a node covers, over the time between two looks', () => {
    const before = lookAt(statusOf(new Map([[logA, 100]])), 1000);
    const now = lookAt(statusOf(new Map([[logA, 150]]), { uptimeMs: 65_000, hitRate: 0.5 }), 6000);
    expect(cellsOf(topTables(now, before, 5))).toMatchObject({ 'changes/s': '10.0', 'hit rate': '50.0 %' });
    const idle = lookAt(statusOf(new Map([[logA, 150]]), { uptimeMs: 70_000 }), 11_000);
    expect(cellsOf(topTables(idle, now, 5))).toMatchObject({ 'changes/s': '0.0' });
  });

  it('counts no log that was folded away or has just come, and no node that was started again', () => {
    const before = lookAt(statusOf(new Map([[logA, 1_000_000]])), 0);
    const folded = lookAt(statusOf(new Map([[logB, 7]]), { uptimeMs: 61_000 }), 1000);
    expect(cellsOf(topTables(folded, before, 5))).toMatchObject({ 'changes/s': '0.0' });
    const restarted = lookAt(statusOf(new Map([[logA, 1_000_500]]), { uptimeMs: 400 }), 1000);
    expect(cellsOf(topTables(restarted, before, 5))).toMatchObject({ 'changes/s': 'unknown' });
  });

  it('is the growth of its reads and writes too, a zero only where there were none', () => {
    const before = lookAt(statusOf(noVector, { reads: 1000, writes: 7 }), 1000);
    const now = lookAt(statusOf(noVector, { uptimeMs: 65_000, reads: 1600, writes: 7 }), 6000);
    expect(cellsOf(topTables(now, before, 5))).toMatchObject({ 'reads/s': '120.0', 'writes/s': '0.0' });
  });

  it('knows no rate of calls of a first look, an earlier version, a node or a worker that was started again', () => {
    const ratesOf = (before: Partial<NodeStatus> | undefined, now: Partial<NodeStatus>) => {
      const earlier = before === undefined ? undefined : lookAt(statusOf(noVector, before), 1000);
      const cells = cellsOf(topTables(lookAt(statusOf(noVector, now), 2000), earlier, 5));
      return [cells['reads/s'], cells['writes/s']];
    };
    const worker = (pid: number) => [{ name: 'worker-1', state: 'serving', pid, restarts: 0, ready: true }] as const;
    const [none, some] = [['unknown', 'unknown'], { reads: 10, writes: 10 }];
    expect(ratesOf(undefined, some)).toEqual(none);
    expect(ratesOf(some, {})).toEqual(none);
    expect(ratesOf({}, some)).toEqual(none);
    expect(ratesOf(some, { reads: 9, writes: 9 })).toEqual(none);
    expect(ratesOf(some, { reads: 500, writes: 500, uptimeMs: 400 })).toEqual(none);
    expect(ratesOf({ ...some, processes: worker(1) }, { reads: 99, writes: 99, processes: worker(2) })).toEqual(none);
    expect(ratesOf({ ...some, processes: worker(1) }, { reads: 99, writes: 99, processes: worker(1) })).toEqual([
      '89.0',
      '89.0',
    ]);
  });

  it('has a line for a node that is not reached, and says why', () => {
    const { views, atMs } = lookAt(statusOf(noVector), 0);
    const away = { name: 'gru', role: 'edge', id: 'e3', region: 'sa', connected: false } as const;
    const text = topTables({ views: [...views, { member: away, error: 'no connection' }], atMs }, undefined, 5);
    expect(text).toContain('cluster c1: 2 nodes, 1 not reached');
    expect(text).toMatch(/gru +edge +sa +unknown: no connection/);
  });

  it('lists the hottest keys of all nodes first, with what would move a cursor escaped', () => {
    const hot = (key: string, reads: number) => ({
      ...{ namespace: '1'.repeat(32) as NamespaceId, title: 'flags', key, reads, error: 2 },
    });
    const text = topTables(
      lookAt(statusOf(noVector, { hotKeys: [hot('cold', 1), hot('\u001b[2J', 900)] }), 0),
      undefined,
      1,
    );
    const [, row] = text.split('\n').slice(text.split('\n').findIndex((line) => line.startsWith('hot key')));
    expect(row).toMatch(/^"\\u001b\[2J" +flags +fra +900 +2$/);
    expect(text).not.toContain('cold');
  });
});

const size = { rows: 30, columns: 200 };
const painted = '\u001b[?1049h';
const given = '\u001b[?1049l';

describe('meridian top', () => {
  it('prints two looks, once, where nobody sees a screen', async () => {
    const { exitCode, output, notes } = await commandLine().run('top');
    expect([exitCode, notes]).toEqual([0, []]);
    expect(output).toMatch(/^cluster \S+: \d+ nodes?/);
    expect(output).not.toContain('\u001b');
  });

  it.each(['top', 'status', 'member list'])('moves no cursor by what another node calls itself: %s', async (words) => {
    const line = commandLine();
    const moving = '\u001b[2J\n';
    const member = { name: moving, role: 'edge', region: moving, id: 'e1' as MemberId, connected: true } as const;
    line.node.otherMembers = [member];
    line.node.notes = [`waits for ${moving}`];
    const { output } = await line.run(words);
    expect(output).toContain('\\u001b[2J\\n"');
    expect(output).not.toContain('\u001b');
  });

  it('tells a program the same as JSON, on a screen too', async () => {
    const { output } = await commandLine({}, { screen: true, size }).run('top --json');
    expect(JSON.parse(output)).toMatchObject({ nodes: [{ role: 'origin', ready: true }] });
  });

  it.each(['q', '\u0003'])('paints a screen, and gives it back when %j is pressed', async (key) => {
    let press: (key: string) => void = () => {};
    const line = commandLine({}, { screen: true, size, onKey: (pressed) => (press = pressed) });
    line.node.onStatus = (count) => {
      if (count === 3) press(key);
    };
    const { exitCode, output, notes } = await line.run('top');
    expect([exitCode, notes]).toEqual([0, []]);
    expect([output.startsWith(painted), output.endsWith(given)]).toEqual([true, true]);
    expect(output).toContain('q quits');
  });

  it('gives the screen back where the node is lost, and says so', async () => {
    const line = commandLine({}, { screen: true, size });
    const lost = new MeridianError('UNAVAILABLE', 'no connection to o:1: gone', { reason: 'not-connected' });
    line.node.onStatus = (count) => {
      if (count === 3) line.node.failure = lost;
    };
    const { exitCode, output, notes } = await line.run('top');
    expect([exitCode, notes]).toEqual([1, ['meridian: UNAVAILABLE: no connection to o:1: gone']]);
    expect(output.endsWith(given)).toBe(true);
  });

  it('ends without a word when it is told to stop', async () => {
    const line = commandLine({}, { screen: true, size });
    line.node.onStatus = (count) => {
      if (count === 3) line.stop.abort();
    };
    const { exitCode, output, notes } = await line.run('top');
    expect([exitCode, notes, output.endsWith(given)]).toEqual([0, [], true]);
  });

  it('opens one connection to an address that two members say is theirs', async () => {
    const line = commandLine();
    const member = { name: 'b', role: 'origin', region: 'r', address: 'b:1', connected: true } as const;
    line.node.otherMembers = ['b1', 'b2'].map((id) => ({ ...member, id: id as MemberId }));
    const node = new FakeNode();
    line.others.set('b:1', node);
    await line.run('top');
    expect(line.connections).toHaveLength(2);
    expect(node.closed).toBe(true);
  });

  it('paints no half of a character, and leaves what is wider than the screen to no further line', async () => {
    let press: (key: string) => void = () => {};
    const narrow = { rows: 30, columns: 61 };
    const line = commandLine({}, { screen: true, size: narrow, onKey: (pressed) => (press = pressed) });
    const member = {
      name: '🌍'.repeat(60),
      role: 'edge',
      id: 'e1' as MemberId,
      region: 'eu',
      connected: true,
    } as const;
    line.node.otherMembers = [member];
    line.node.onStatus = (count) => {
      if (count === 2) press('q');
    };
    const { output } = await line.run('top');
    expect(output).not.toContain('\ufffd');
    expect(output.indexOf('\u001b[?7l')).toBeLessThan(output.indexOf('🌍'));
    expect(output.indexOf('\u001b[?7h')).toBeGreaterThan(output.lastIndexOf('🌍'));
  });

  it.each([
    ['top --every 100ms', '--every must be from 200 to 60000 ms; it is 100 ms'],
    ['top --every soon', '--every must be a duration'],
  ])('refuses %s', async (words, expected) => {
    const { exitCode, notes } = await commandLine().run(words);
    expect([exitCode, notes[0]]).toEqual([2, expect.stringContaining(expected)]);
  });
});
