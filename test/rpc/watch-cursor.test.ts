import { describe, expect, it } from 'vitest';
import type { Changes, FeedEvent } from '../../src/model/feed.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { LogId } from '../../src/model/position.ts';
import { decodeWatchCursor, encodeWatchCursor, WatchCursors } from '../../src/rpc/server/watch-cursor.ts';
import { live } from '../contract/sample-records.ts';

const [one, other, third] = ['1', '2', '3'].map((digit) => digit.repeat(16)) as [LogId, LogId, LogId];

function shows(places: ReadonlyArray<readonly [LogId, number]>): Changes {
  const records = places.map(([log, sequence]) => {
    return { ...live({ key: 'k', sequence }), position: { log, sequence } };
  });
  return { kind: 'changes', records };
}

/** A step that shows these places, and covers so much of each log. */
function step(places: ReadonlyArray<readonly [LogId, number]>, ...covered: Array<[LogId, number]>): Changes {
  return { ...shows(places), step: { vector: new Map(covered), stable: new Map() } };
}

function caughtUp(...covered: Array<[LogId, number]>): FeedEvent {
  return { kind: 'caught-up', vector: new Map(covered), floor: new Map(), stable: new Map() };
}

/** A record of the registry that says where the log ends; it stands at `at`. */
function seal(log: LogId, final: number, at: readonly [LogId, number]): Changes {
  const value = JSON.stringify({ member: 'm', opened: 's', final });
  const [owner, sequence] = at;
  const record = { ...live({ key: `log/${log}`, sequence, value }), namespace: registryNamespace };
  return { kind: 'changes', records: [{ ...record, position: { log: owner, sequence } }] };
}

const at = (...covered: Array<[LogId, number]>) => new Map(covered);

describe('the cursors of a watch', () => {
  it('are given where all that was shown is covered', () => {
    const cursors = new WatchCursors('cursor');
    expect(cursors.after(step([[one, 5]], [one, 5]))).toEqual(at([one, 5]));
    expect(cursors.after(step([[other, 9]], [one, 5])), 'another node may have yet to hear of it').toBeUndefined();
    expect(cursors.after(step([[one, 6]], [one, 6])), 'and of it still').toBeUndefined();
    expect(cursors.after(step([], [one, 6], [other, 9]))).toEqual(at([one, 6], [other, 9]));
  });

  it('are given behind a reset by what was shown since', () => {
    const cursors = new WatchCursors('nothing');
    cursors.after(step([[other, 9]], [one, 5]));
    cursors.after({ kind: 'resync', reason: 'beyond-seal' });
    expect(cursors.after(caughtUp([one, 5]))).toEqual(at([one, 5]));
  });

  it('begin at once where a watch wants what comes from now on: it could not tell what it missed', () => {
    const cursors = new WatchCursors('now');
    cursors.after(shows([[other, 9]]));
    expect(cursors.after(caughtUp([one, 5]))).toEqual(at([one, 5]));
    expect(cursors.after(step([[one, 6]], [one, 6]))).toBeUndefined();
  });

  it('are given where a seal that is covered implies what was shown', () => {
    const cursors = new WatchCursors('nothing');
    cursors.after(shows([[one, 5]]));
    expect(cursors.after(caughtUp([other, 3])), 'nobody said yet where that log ends').toBeUndefined();
    cursors.after(seal(one, 5, [other, 4]));
    expect(cursors.after(step([], [other, 3])), 'the seal itself is not covered').toBeUndefined();
    expect(cursors.after(step([], [other, 4]))).toEqual(at([other, 4]));
  });

  it('follow a chain of seals, and imply nothing beyond one', () => {
    const cursors = new WatchCursors('nothing');
    cursors.after(seal(one, 5, [other, 4]));
    cursors.after(seal(other, 4, [third, 2]));
    cursors.after(shows([[one, 5]]));
    expect(cursors.after(caughtUp([third, 2]))).toEqual(at([third, 2]));
    expect(cursors.after(step([[one, 6]], [third, 3]))).toBeUndefined();
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
