import { describe, expect, it } from 'vitest';
import type { Changes, FeedEvent } from '../../src/model/feed.ts';
import type { OriginId } from '../../src/model/position.ts';
import { WatchCursors } from '../../src/rpc/server/watch-cursor.ts';
import { live } from '../contract/sample-records.ts';

const [one, other] = ['1', '2'].map((digit) => digit.repeat(16)) as [OriginId, OriginId];

function shows(places: ReadonlyArray<readonly [OriginId, number]>): Changes {
  const records = places.map(([origin, sequence]) => {
    return { ...live({ key: 'k', sequence }), position: { origin, sequence } };
  });
  return { kind: 'changes', records };
}

/** A step that shows these places, and covers so much of each log. */
function step(places: ReadonlyArray<readonly [OriginId, number]>, ...covered: Array<[OriginId, number]>): Changes {
  return { ...shows(places), step: { vector: new Map(covered), floor: new Map(), settled: new Map() } };
}

function caughtUp(...covered: Array<[OriginId, number]>): FeedEvent {
  return { kind: 'caught-up', vector: new Map(covered), floor: new Map(), settled: new Map() };
}

const at = (...covered: Array<[OriginId, number]>) =>
  new Map(covered.map(([origin, sequence]) => [origin, { sequence, epoch: undefined }]));

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
    cursors.after({ kind: 'resync', vector: new Map(), finals: new Map(), reason: 'retired' });
    expect(cursors.after(caughtUp([one, 5]))).toEqual(at([one, 5]));
  });

  it('begin at once where a watch wants what comes from now on: it could not tell what it missed', () => {
    const cursors = new WatchCursors('now');
    cursors.after(shows([[other, 9]]));
    expect(cursors.after(caughtUp([one, 5]))).toEqual(at([one, 5]));
    expect(cursors.after(step([[one, 6]], [one, 6]))).toBeUndefined();
  });
});
