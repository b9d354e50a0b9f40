import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nowhere } from '../../src/model/position.ts';
import { emptySession, type Session, sessionAfterAbsence, sessionAfterRecord } from '../../src/model/session.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { covers, coversPosition, equalVectors, joinVectors } from '../../src/model/version-vector.ts';
import { anyPosition, anySession, anyStamp, anyVector } from './arbitraries.ts';

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
        const component = new Map([[position.origin, position.sequence]]);
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
