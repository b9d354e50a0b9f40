import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LogId, nowhere } from '../../src/model/position.ts';
import {
  emptySession,
  joinSessions,
  type Session,
  sessionAfterAbsence,
  sessionAfterAnswer,
  sessionAfterRecord,
} from '../../src/model/session.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { covers, coversPosition, equalVectors, joinVectors } from '../../src/model/version-vector.ts';
import { anyPosition, anySession, anyStamp, anyVector, logs } from './arbitraries.ts';

function atLeast(later: Session, earlier: Session): boolean {
  return covers(later.vector, earlier.vector) && later.stamp >= earlier.stamp;
}

describe('a session', () => {
  it('only grows, by what is written or seen and by nothing else', () => {
    fc.assert(
      fc.property(anySession, anyPosition, anyStamp, (session, position, stamp) => {
        const after = sessionAfterRecord(session, position, stamp);
        expect(atLeast(after, session)).toBe(true);
        expect(coversPosition(after.vector, position)).toBe(true);
        expect(after.stamp >= stamp).toBe(true);
        expect([session.stamp, stamp]).toContain(after.stamp);
        const component = new Map([[position.log, position.sequence]]);
        expect(equalVectors(after.vector, joinVectors(session.vector, component))).toBe(true);
      }),
    );
  });

  it('takes an absence or a list for all that its responder covered, and no stamp', () => {
    fc.assert(
      fc.property(anySession, anyVector, (session, covered) => {
        const after = sessionAfterAbsence(session, covered);
        expect(equalVectors(after.vector, joinVectors(session.vector, covered))).toBe(true);
        expect(after.stamp).toBe(session.stamp);
      }),
    );
  });

  it('ends the same in whatever order its answers came', () => {
    const seen = fc.array(fc.tuple(anyPosition, anyStamp), { maxLength: 5 });
    fc.assert(
      fc.property(anySession, seen, (session, answers) => {
        const through = (order: typeof answers) =>
          order.reduce((held, [position, stamp]) => sessionAfterRecord(held, position, stamp), session);
        const [forth, back] = [through(answers), through([...answers].reverse())];
        expect(forth.stamp).toBe(back.stamp);
        expect(equalVectors(forth.vector, back.vector)).toBe(true);
      }),
    );
  });

  it('is given back itself where an answer brings nothing new', () => {
    fc.assert(
      fc.property(anySession, anyPosition, anyStamp, (session, position, stamp) => {
        const after = sessionAfterRecord(session, position, stamp);
        expect(sessionAfterRecord(after, position, stamp)).toBe(after);
        expect(sessionAfterAbsence(after, session.vector)).toBe(after);
      }),
    );
    expect(sessionAfterRecord(emptySession, nowhere, bottomStamp)).toBe(emptySession);
  });
});

describe('a session that an answer carries on', () => {
  it('is no smaller than the answer says, and lets go of nothing but what the question carried and the answer left out', () => {
    fc.assert(
      fc.property(anySession, anySession, anySession, (kept, asked, answered) => {
        const after = sessionAfterAnswer(kept, asked, answered);
        expect(atLeast(after, answered)).toBe(true);
        expect(after.stamp >= kept.stamp).toBe(true);
        for (const [log, sequence] of kept.vector) {
          const wasAsked = asked.vector.get(log) === sequence && !answered.vector.has(log);
          expect(after.vector.get(log) ?? 0).toBe(wasAsked ? 0 : Math.max(sequence, answered.vector.get(log) ?? 0));
        }
        for (const log of after.vector.keys()) expect(kept.vector.has(log) || answered.vector.has(log)).toBe(true);
      }),
    );
  });

  it('lets go of a log that the answer leaves out, unless it has grown since the question', () => {
    const [a, b, c] = logs as [LogId, LogId, LogId];
    const asked: Session = { ...emptySession, vector: new Map([[a, 5]]) };
    const answered: Session = { ...emptySession, vector: new Map([[c, 7]]) };
    const keeping = (...components: Array<[LogId, number]>): Session => ({
      ...emptySession,
      vector: new Map(components),
    });
    const carriedOn = (kept: Session) => new Map(sessionAfterAnswer(kept, asked, answered).vector);
    expect(carriedOn(keeping([a, 5], [b, 2]))).toEqual(
      new Map([
        [b, 2],
        [c, 7],
      ]),
    );
    expect(carriedOn(keeping([a, 6]))).toEqual(
      new Map([
        [a, 6],
        [c, 7],
      ]),
    );
  });

  it('joins what two answers say, in whatever order they came, where neither leaves out what it was asked with', () => {
    fc.assert(
      fc.property(anySession, anySession, anySession, (kept, one, two) => {
        const answers = [one, two].map((seen) => joinSessions(kept, seen));
        const through = (order: readonly Session[]) =>
          order.reduce((held, answered) => sessionAfterAnswer(held, kept, answered), kept);
        const [forth, back] = [through(answers), through([...answers].reverse())];
        expect(forth.stamp).toBe(back.stamp);
        expect(equalVectors(forth.vector, back.vector)).toBe(true);
      }),
    );
  });

  it('is given back itself where the answer says what is kept', () => {
    fc.assert(
      fc.property(anySession, (kept) => {
        expect(sessionAfterAnswer(kept, kept, kept)).toBe(kept);
        expect(sessionAfterAnswer(kept, emptySession, kept)).toBe(kept);
      }),
    );
  });
});
