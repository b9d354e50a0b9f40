import { describe, expect, it } from 'vitest';
import { describeNode } from '../../src/cli/status/describe-node.ts';
import type { NodeStatus } from '../../src/model/cluster.ts';
import type { LogId, MemberId } from '../../src/model/position.ts';
import { emptyVector } from '../../src/model/version-vector.ts';

describe('what a node says of itself', () => {
  const statusWith = (logs: number): NodeStatus => {
    const floor = new Map(Array.from({ length: logs }, (_, n) => [`${n}`.padStart(16, '0') as LogId, n + 1]));
    const scope = {
      kind: 'copy' as const,
      filter: ['*'],
      state: 'live' as const,
      covered: emptyVector,
      floor,
      stable: emptyVector,
    };
    return {
      node: { id: 'e' as MemberId, name: 'fra-1', region: 'fra', role: 'edge' },
      clusterId: 'c',
      version: '1',
      uptimeMs: 1000,
      ready: true,
      readOnly: false,
      notes: [],
      scopes: [scope],
      followers: [],
    };
  };

  it('names the logs of a short floor', () => {
    expect(describeNode(statusWith(2))).toContain('0000000000000000:1,0000000000000001:2');
  });

  it('counts those of a long one: it names a log for each start of an origin before which something was purged', () => {
    const text = describeNode(statusWith(400));
    expect(text).toContain('in 400 logs');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(200);
  });
});
