import { describe, expect, it } from 'vitest';
import { checkChosen, commonVersion, feedVersions } from '../../src/model/feed-version.ts';

describe('two versions of the feed', () => {
  const [old, now, next] = [
    { protocol: 2 },
    { protocol: 3, protocolOldest: 2 },
    { protocol: 4, protocolOldest: 3 },
  ] as const;

  it.each([
    ['the same', now, now, 3],
    ['a follower one later', now, old, 2],
    ['a server one later', old, now, 2],
    ['one apart again', next, now, 3],
  ])('speak the latest that both know: %s', (_, follower, server, common) => {
    expect(commonVersion(follower, server)).toBe(common);
    expect(() => checkChosen(common, follower)).not.toThrow();
  });

  it.each([
    ['a follower two later', next, old, 'speaks version 2 of the feed, and the follower versions 3 to 4'],
    ['a server two later', old, next, 'speaks versions 3 to 4 of the feed, and the follower version 2'],
  ])('are refused where they share none, by both their versions: %s', (_, follower, server, message) => {
    expect(() => commonVersion(follower, server)).toThrow(message);
    const details = { reason: 'feed-version', limit: server.protocol, seen: follower.protocol };
    expect(() => commonVersion(follower, server)).toThrow(
      expect.objectContaining({ code: 'FAILED_PRECONDITION', details }),
    );
  });

  it('is not followed in one that this side does not speak, and one that names none is as it was before', () => {
    expect(() => checkChosen(4, now)).toThrow('chose version 4 of the feed, and this one speaks versions 2 to 3');
    expect(() => checkChosen(1, now)).toThrow('chose version 1');
    expect(() => checkChosen(undefined, now)).not.toThrow();
  });

  it('are those of this software where none are named', () => {
    expect(commonVersion(feedVersions)).toBe(feedVersions.protocol);
  });
});
