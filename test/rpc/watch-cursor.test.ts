import { describe, expect, it } from 'vitest';
import type { Changes, FeedEvent, Step } from '../../src/model/feed.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import { decodeWatchCursor, encodeWatchCursor, WatchCursors } from '../../src/rpc/server/watch-cursor.ts';

const [one, other] = ['1', '2'].map((digit) => digit.repeat(16)) as [LogId, LogId];

const at = (...covered: Array<[LogId, number]>): VersionVector => new Map(covered);

/** Of a server that has shown what it does not cover yet: `behind`. */
const behind: Pick<Step, 'behind'> = { behind: true };

function step(vector: VersionVector, shown: Pick<Step, 'behind'> = {}): Changes {
  return { kind: 'changes', records: [], step: { vector, stable: new Map(), ...shown } };
}

function caughtUp(vector: VersionVector, shown: Pick<Step, 'behind'> = {}): FeedEvent {
  return { kind: 'caught-up', vector, floor: new Map(), stable: new Map(), ...shown };
}

describe('the cursors of a watch', () => {
  it('are given where all that was shown is covered', () => {
    const cursors = new WatchCursors('cursor');
    expect(cursors.after(step(at([one, 5])))).toEqual(at([one, 5]));
    expect(cursors.after(step(at([one, 5]), behind)), 'another node may have yet to hear of it').toBeUndefined();
    expect(cursors.after(step(at([one, 6]), behind)), 'and of it still').toBeUndefined();
    expect(cursors.after(step(at([one, 6], [other, 9])))).toEqual(at([one, 6], [other, 9]));
  });

  it('are not given within a step, nor by what is none', () => {
    const cursors = new WatchCursors('cursor');
    expect(cursors.after({ kind: 'changes', records: [] })).toBeUndefined();
    expect(cursors.after({ kind: 'resync', reason: 'beyond-seal' })).toBeUndefined();
  });

  it('are given at the end of a scan, unless it showed more than it covers', () => {
    const cursors = new WatchCursors('nothing');
    expect(cursors.after(caughtUp(at([one, 5]), behind))).toBeUndefined();
    expect(cursors.after(caughtUp(at([one, 5])))).toEqual(at([one, 5]));
  });

  it('begin at once where a watch wants what comes from now on: it could not tell what it missed', () => {
    const cursors = new WatchCursors('now');
    expect(cursors.after(caughtUp(at([one, 5]), behind))).toEqual(at([one, 5]));
    expect(cursors.after(step(at([one, 6]), behind))).toBeUndefined();
  });
});

describe('the text of a cursor', () => {
  const scope = { namespace: registryNamespace, prefix: 'p' };

  it('resumes the watch of the same namespace and prefix alone', () => {
    const text = encodeWatchCursor(at([one, 5]), scope);
    expect(decodeWatchCursor(text, scope)).toEqual(at([one, 5]));
    expect(() => decodeWatchCursor(text, { ...scope, prefix: 'q' })).toThrow('malformed');
    expect(() => decodeWatchCursor('x', scope)).toThrow('malformed');
  });
});
