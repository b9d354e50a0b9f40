import { describe, expect, it } from 'vitest';
import type { NodeStatus, ScopeStatus } from '../../../src/model/cluster.ts';
import { emptyVector } from '../../../src/model/version-vector.ts';
import { type SeenProcess, statusOfAll } from '../../../src/node/workers/status-of-all.ts';

const scope = (boundMs?: number): ScopeStatus => ({
  kind: 'cache',
  filter: ['*'],
  state: 'live',
  covered: emptyVector,
  floor: emptyVector,
  stable: emptyVector,
  ...(boundMs === undefined ? {} : { boundMs }),
});

function statusOf(id: string, changes: Partial<NodeStatus> = {}): NodeStatus {
  return {
    node: { name: id, role: 'edge', id, region: 'local' },
    clusterId: 'c',
    version: '1',
    ready: true,
    notes: [],
    uptimeMs: 1000,
    scopes: [scope(100)],
    followers: [],
    readOnly: false,
    ...changes,
  };
}

function seen(name: string, status: NodeStatus | undefined, state: SeenProcess['standing']['state'] = 'serving') {
  const standing = { state, restarts: 0, pid: 1 };
  return { name, isKeeper: name === 'keeper', standing, ...(status === undefined ? {} : { status }) };
}

describe('the status of an edge of several processes', () => {
  it('is the keeper’s, with what each process says of itself', () => {
    const all = statusOfAll(
      [
        seen('keeper', statusOf('fra', { hitRate: 1, notes: ['a note'] })),
        seen('worker-1', statusOf('fra/1', { hitRate: 0.5, notes: ['late'], scopes: [scope(100), scope(300)] })),
        seen('worker-2', statusOf('fra/2', { scopes: [scope(50), scope()] })),
      ],
      undefined,
    );
    expect(all).toMatchObject({ node: { id: 'fra' }, ready: true, hitRate: 0.5, notes: ['a note', 'worker-1: late'] });
    expect(all?.scopes).toEqual([scope(100)]);
    expect(all?.processes?.map(({ name, boundMs }) => [name, boundMs])).toEqual([
      ['keeper', 100],
      ['worker-1', 300],
      ['worker-2', undefined],
    ]);
  });

  it('counts the reads and writes of all workers, and none of the keeper, which they ask', () => {
    const calls = (...all: ReadonlyArray<Partial<NodeStatus> | undefined>) => {
      const workers = all.map((told, index) => seen(`worker-${index + 1}`, told && statusOf('x', told)));
      const status = statusOfAll([seen('keeper', statusOf('fra', { reads: 900, writes: 900 })), ...workers], undefined);
      return [status?.reads, status?.writes];
    };
    expect(calls({ reads: 10, writes: 1 }, { reads: 5, writes: 0 })).toEqual([15, 1]);
    expect(calls({ reads: 10, writes: 1 }, { reads: 5 })).toEqual([15, undefined]);
    expect(calls({ reads: 10, writes: 1 }, undefined)).toEqual([undefined, undefined]);
  });

  it('is ready where every worker that says so is, whatever becomes of the keeper', () => {
    const isReady = (...all: SeenProcess[]) => statusOfAll(all, undefined)?.ready;
    const [ready, not] = [statusOf('x'), statusOf('x', { ready: false })];
    expect(isReady(seen('keeper', not), seen('worker-1', ready))).toBe(true);
    expect(isReady(seen('keeper', ready), seen('worker-1', ready), seen('worker-2', not))).toBe(false);
    expect(isReady(seen('keeper', ready), seen('worker-1', undefined, 'resting'))).toBe(false);
    expect(isReady(seen('keeper', ready), seen('worker-1', ready), seen('worker-2', undefined, 'resting'))).toBe(true);
  });

  it('stays who it is while the keeper is away, says so, and is nothing where nobody answers', () => {
    const away = statusOfAll(
      [seen('keeper', undefined, 'resting'), seen('worker-1', statusOf('fra/1')), seen('worker-2', undefined)],
      statusOf('fra'),
    );
    expect(away).toMatchObject({ node: { id: 'fra' }, ready: true });
    expect(away?.notes).toEqual(['the keeper is away: it is started again', 'the worker-2 does not say how it is']);
    expect(statusOfAll([seen('keeper', undefined)], statusOf('fra'))).toBeUndefined();
  });
});
