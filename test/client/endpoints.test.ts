import { describe, expect, test } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import { fakeCluster } from './fake-cluster.ts';
import { FakeNode, fakeLog } from './fake-node.ts';

const unavailable = (reason: string) => new MeridianError('UNAVAILABLE', 'away', { reason });

/** The version of a key that a node of a test holds. */
const held = makeStamp({ wallMs: 1, counter: 0, log: fakeLog });

/** Applies the first write without an answer, and refuses the second one for now. */
class AppliesAndBreaks extends FakeNode {
  #attempts = 0;

  constructor() {
    super();
    const value = Buffer.from('free');
    const position = { log: fakeLog, sequence: 1 };
    this.records.set('k', { kind: 'live', namespace: registryNamespace, key: 'k', stamp: held, position, value });
  }

  override async write(...asked: Parameters<FakeNode['write']>): ReturnType<FakeNode['write']> {
    if (++this.#attempts === 2)
      throw new MeridianError('RESOURCE_EXHAUSTED', 'busy', { reason: 'busy', retryAfterMs: 10 });
    const answer = await super.write(...asked);
    if (this.#attempts === 1) throw unavailable('connection-lost');
    return answer;
  }
}

function three() {
  const nodes = [new FakeNode(), new FakeNode(), new FakeNode()] as const;
  return { nodes, flags: fakeCluster(nodes).cluster.namespace('flags') };
}

describe('several endpoints', () => {
  test('the first is asked for as long as it answers', async () => {
    const { nodes, flags } = three();
    for (let i = 0; i < 3; i++) await flags.get('k');
    expect(nodes.map(({ gets }) => gets.length)).toEqual([3, 0, 0]);
  });

  test('a read moves on from an unavailable one, and stays where it was answered', async () => {
    const { nodes, flags } = three();
    nodes[0].failure = unavailable('no-upstream');
    await flags.get('k');
    nodes[0].failure = undefined;
    await flags.get('k');
    expect(nodes.map(({ gets }) => gets.length)).toEqual([0, 2, 0]);
  });

  test('each is asked once before a read fails', async () => {
    const { nodes, flags } = three();
    for (const node of nodes) node.failure = unavailable('no-upstream');
    await expect(flags.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(nodes.map(({ calls }) => calls.length)).toEqual([1, 1, 1]);
  });

  test('a write that was certainly not sent goes to the next', async () => {
    const { nodes, flags } = three();
    nodes[0].failure = unavailable('not-connected');
    await flags.put('k', 'v');
    expect(nodes.map(({ writes }) => writes.length)).toEqual([0, 1, 0]);
  });

  test('a write that may have been applied is not sent twice; the next call goes elsewhere', async () => {
    const { nodes, flags } = three();
    nodes[0].failure = unavailable('connection-lost');
    await expect(flags.put('k', 'v')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(nodes[1].calls).toEqual([]);
    await flags.put('k', 'v');
    expect(nodes.map(({ calls }) => calls.length)).toEqual([1, 1, 0]);
  });

  test('a write that needs a version goes to the next: it replaces that, so it cannot be applied twice', async () => {
    for (const write of [
      { kind: 'put', key: 'k', value: 'v', ifVersion: held },
      { kind: 'delete', key: 'k', ifVersion: held },
    ] as const) {
      const { nodes, flags } = three();
      nodes[0].failure = unavailable('connection-lost');
      await flags.write([{ kind: 'put', key: 'other', value: 'v' }, write]).catch(() => {});
      expect(nodes.map(({ calls }) => calls.length)).toEqual([1, 1, 0]);
    }
  });

  test('a write that needs an absent key is not sent twice: between both another client may have deleted what it wrote', async () => {
    const nodes = [new AppliesAndBreaks(), new FakeNode()] as const;
    const jobs = fakeCluster(nodes).cluster.namespace('jobs');
    await expect(jobs.put('job', 'v', { ifAbsent: true })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'connection-lost' },
    });
    await expect(jobs.delete('job', { ifAbsent: true })).resolves.toBe(undefined);
    expect(nodes.map(({ writes }) => writes.length)).toEqual([1, 1]);
    nodes[1].failure = unavailable('connection-lost');
    await expect(jobs.delete('job', { ifAbsent: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(nodes[0].writes).toHaveLength(1);
  });

  test('one that finds its condition not met when it is repeated says that nobody knows whether it did that', async () => {
    const { nodes, flags } = three();
    const versionFound = 'b'.repeat(32);
    nodes[0].failure = unavailable('connection-lost');
    nodes[1].failure = new MeridianError('FAILED_PRECONDITION', 'not met', { reason: 'condition', versionFound });
    await expect(flags.put('k', 'v', { ifVersion: held })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'outcome-unknown', versionFound },
    });
    nodes[0].failure = nodes[1].failure;
    await flags.get('k').catch(() => {});
    await expect(flags.put('k', 'v', { ifVersion: held })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  test('one that may have been applied is never said to have done nothing, whatever its repetition meets', async () => {
    for (const failure of [
      new MeridianError('RESOURCE_EXHAUSTED', 'busy', { reason: 'busy', retryAfterMs: 10 }),
      new MeridianError('NOT_FOUND', 'no such namespace', { reason: 'unknown-namespace' }),
      unavailable('not-connected'),
    ]) {
      const nodes = [new AppliesAndBreaks(), new FakeNode()] as const;
      nodes[1].failure = failure;
      const writing = fakeCluster(nodes).cluster.namespace('locks').put('k', 'mine', { ifVersion: held });
      await expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'outcome-unknown' } });
      expect(nodes[0].writes).toHaveLength(1);
    }
  });

  test('a lock that a client holds itself is not said to be held when its repetition was refused for now', async () => {
    const node = new AppliesAndBreaks();
    const writing = fakeCluster([node]).cluster.namespace('locks').put('k', 'mine', { ifVersion: held });
    await expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'outcome-unknown' } });
  });

  test('a refusal is the answer, wherever it comes from', async () => {
    const { nodes, flags } = three();
    nodes[0].failure = new MeridianError('INVALID_ARGUMENT', 'no', { reason: 'test' });
    await expect(flags.get('k')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(nodes[1].calls).toEqual([]);
  });
});
