import type { Position } from './position.ts';
import { bottomStamp, laterStamp, type Stamp } from './stamp.ts';
import { emptyVector, joinVectors, type VersionVector, withPosition } from './version-vector.ts';

/**
 * What a client wrote and saw (rule R14). Every request carries it; whoever answers either covers it or asks further.
 * Gives read-your-writes, monotonic reads and writes-follow-reads (Terry et al., "Session Guarantees", 1994).
 */
export interface Session {
  readonly vector: VersionVector;
  /** The highest stamp written or seen. */
  readonly stamp: Stamp;
}

export const emptySession: Session = { vector: emptyVector, stamp: bottomStamp };

/** The session after a record was written or seen. */
export function sessionAfterRecord(session: Session, position: Position, stamp: Stamp): Session {
  const vector = withPosition(session.vector, position);
  const latest = laterStamp(session.stamp, stamp);
  return vector === session.vector && latest === session.stamp ? session : { vector, stamp: latest };
}

/** The session after an answer of absence without a tombstone: its responder's covered vector counts. */
export function sessionAfterAbsence(session: Session, covered: VersionVector): Session {
  const vector = joinVectors(session.vector, covered);
  return vector === session.vector ? session : { vector, stamp: session.stamp };
}

/** The session after a page of a list, which may show more than its responder covers. */
export function sessionAfterPage(session: Session, covered: VersionVector, seen: Session): Session {
  return joinSessions(sessionAfterAbsence(session, covered), seen);
}

export function joinSessions(a: Session, b: Session): Session {
  return { vector: joinVectors(a.vector, b.vector), stamp: laterStamp(a.stamp, b.stamp) };
}
