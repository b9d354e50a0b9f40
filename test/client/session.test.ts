import { describe, expect, test } from 'vitest';
import { SessionKeeper } from '../../src/client/session-keeper.ts';
import type { LogId } from '../../src/model/position.ts';
import { emptySession } from '../../src/model/session.ts';
import { fakeCluster } from './fake-cluster.ts';
import { FakeNode, fakeLog } from './fake-node.ts';

describe('a session', () => {
  test('a write goes with each later request, as position and stamp', async () => {
    const { cluster, node } = fakeCluster();
    const flags = cluster.namespace('flags');
    const { written } = await flags.write([{ kind: 'put', key: 'a', value: '' }]);
    await flags.get('b');
    expect(node.sessions[0]?.vector.size).toBe(0);
    expect(node.sessions[1]?.vector.get(fakeLog)).toBe(1);
    expect(node.sessions[1]?.stamp).toBe(written[0]?.version);
  });

  test('a record read brings its position; an unknown absence and a list bring what was covered', async () => {
    const node = new FakeNode();
    const writer = fakeCluster([node]).cluster.namespace('flags');
    await writer.put('a', '1');
    await writer.put('b', '2');
    const read = async (see: (flags: typeof writer) => Promise<unknown>) => {
      const { cluster } = fakeCluster([node]);
      await see(cluster.namespace('flags'));
      return JSON.parse(cluster.session.export()).vector[fakeLog];
    };
    expect(await read((flags) => flags.get('a'))).toBe(1);
    expect(await read((flags) => flags.get(['a', 'b']))).toBe(2);
    expect(await read((flags) => flags.get('absent'))).toBe(2);
    expect(await read((flags) => flags.list())).toBe(2);
  });

  test('a change of a namespace is seen by what follows', async () => {
    const { cluster, node } = fakeCluster();
    await cluster.namespaces.create('new');
    await cluster.namespace('new').get('k');
    expect(node.sessions.at(-1)?.vector.get(fakeLog)).toBe(99);
  });

  test('a log of the past that an answer leaves out is carried no further, unless it grew meanwhile', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(16)) as [LogId, LogId, LogId];
    const session = (...entries: Array<[LogId, number]>) => ({ ...emptySession, vector: new Map(entries) });
    const keeper = new SessionKeeper(true);
    keeper.answered(emptySession, session([a, 5], [b, 2]));
    const asked = keeper.current;
    keeper.answered(emptySession, session([b, 3]));
    keeper.answered(asked, session([c, 7]));
    expect([...keeper.current.vector].sort()).toEqual([
      [b, 3],
      [c, 7],
    ]);
  });

  test('exported, it binds another client; reset, it binds nobody', async () => {
    const { cluster } = fakeCluster();
    await cluster.namespace('flags').put('a', '');
    const other = fakeCluster();
    other.cluster.session.import(cluster.session.export());
    await other.cluster.namespace('flags').get('a');
    expect(other.node.sessions[0]?.vector.get(fakeLog)).toBe(1);
    other.cluster.session.reset();
    await other.cluster.namespace('flags').put('b', '');
    expect(other.node.sessions[1]?.vector.size).toBe(0);
  });

  test('what was never exported is not imported', () => {
    const { cluster } = fakeCluster();
    for (const text of ['', '{}', '{"vector":{},"stamp":"x"}', `{"vector":{"a":1},"stamp":"${'0'.repeat(32)}"}`]) {
      expect(() => cluster.session.import(text)).toThrow('this is no exported session');
    }
  });

  test('switched off, nothing is remembered', async () => {
    const { cluster, node } = fakeCluster([new FakeNode()], false);
    await cluster.namespace('flags').put('a', '');
    await cluster.namespace('flags').get('a');
    expect(node.sessions.at(-1)?.vector.size).toBe(0);
  });
});
