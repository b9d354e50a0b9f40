import { describe, expect, it } from 'vitest';
import type { FollowOpen } from '../../../src/model/feed.ts';
import { registryNamespace } from '../../../src/model/namespace.ts';
import type { LogId, MemberId } from '../../../src/model/position.ts';
import { makeStamp } from '../../../src/model/stamp.ts';
import { decodeOpen, encodeOpen } from '../../../src/rpc/codec/follow-codec.ts';

const range = { namespace: registryNamespace, prefix: 'a' };
const open: FollowOpen = {
  protocol: 2,
  protocolOldest: 2,
  node: { name: 'edge', role: 'edge', id: 'e1', region: 'here' },
  nonce: 'n',
  clusterId: 'c',
  role: 'copy',
  filter: { includes: [range], excludes: [] },
  values: { kind: 'all' },
  start: { kind: 'nothing' },
};

/** As it comes from the wire: of the ways to start, the one that was set is named. */
function decoded(message: FollowOpen): FollowOpen {
  const wire = encodeOpen(message).open;
  if (!wire) throw new Error('an open is an open');
  return decodeOpen({ ...wire, start: message.start.kind });
}

const manyRanges = Array.from({ length: 1025 }, () => range);
const components = Array.from({ length: 1025 }, (_, index) => {
  return [index.toString(16).padStart(16, '0') as LogId, 1] as const;
});

const manyMembers = components.map(([log]) => log as string as MemberId);
const stamp = makeStamp({ wallMs: 1, counter: 0, log: components[0]?.[0] as LogId });
const manyRemovals = manyMembers.map((member) => ({ member, enough: true, reports: 2, stamp }));

const manyLogs = { kind: 'cursor', cursor: new Map(components) } as const;

describe('what a follower says when it opens a stream', () => {
  it('is read as it was written', () => {
    expect(decoded(open)).toEqual(open);
  });

  it('says whether lost records may be told to it', () => {
    expect(decoded({ ...open, takesLost: true })).toEqual({ ...open, takesLost: true });
  });

  it('may name every log that there ever was, where it is a node', () => {
    const copy = { ...open, start: manyLogs, floor: manyLogs.cursor };
    expect(decoded(copy)).toEqual(copy);
  });

  it.each<[string, FollowOpen]>([
    ['ranges', { ...open, filter: { includes: manyRanges, excludes: [] } }],
    ['excluded ranges', { ...open, filter: { includes: [range], excludes: manyRanges } }],
    ['bytes in a prefix', { ...open, filter: { includes: [{ ...range, prefix: 'é'.repeat(257) }], excludes: [] } }],
    ['bytes in its name', { ...open, node: { ...open.node, name: 'n'.repeat(513) } }],
    ['bytes in its nonce', { ...open, nonce: 'n'.repeat(513) }],
    ['bytes in a token', { ...open, start: { kind: 'partial', token: 't'.repeat(256 * 1024 + 1) } }],
    ['members in its view', { ...open, role: 'peer', view: { members: manyMembers, removals: [] } }],
    ['removals in its view', { ...open, role: 'peer', view: { members: [], removals: manyRemovals } }],
    ['components in the cursor of its watch', { ...open, role: 'watch', start: manyLogs }],
  ])('is refused where it has too many %s', (_, message) => {
    expect(() => decoded(message)).toThrowError(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        details: expect.objectContaining({ reason: 'open-too-large' }),
      }),
    );
  });
});
