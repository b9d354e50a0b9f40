import type { Position } from './position.ts';
import { bottomStamp, laterStamp, type Stamp } from './stamp.ts';
import { emptyVector, joinVectors, type VersionVector, withPosition } from './version-vector.ts';

/**
 * What a client wrote and saw (rule R14). Every request carries it; the node that answers either covers it or asks
 * further, and every answer names the session to go on with. Gives read-your-writes, monotonic reads and
 * writes-follow-reads (Terry et al., "Session Guarantees", 1994).
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

export function joinSessions(a: Session, b: Session): Session {
  if (a === b) return a;
  const vector = joinVectors(a.vector, b.vector);
  const stamp = laterStamp(a.stamp, b.stamp);
  return vector === a.vector && stamp === a.stamp ? a : { vector, stamp };
}

/**
 * What a client keeps once a request is answered. A component that the request carried and the answer leaves out
 * belongs to a sealed log that the rest implies, or to a log that nobody knows any more: it is dropped, unless it has
 * grown meanwhile. So a session stays as small as the cluster.
 *
 *     kept {a: 5, b: 2}, asked with {a: 5}, answered {c: 7}   →   {b: 2, c: 7}
 */
export function sessionAfterAnswer(kept: Session, asked: Session, answered: Session): Session {
  if (answered === asked) return joinSessions(kept, answered); // Nothing was left out.
  let { vector } = kept;
  for (const [log, sequence] of asked.vector) {
    if (answered.vector.has(log) || vector.get(log) !== sequence) continue;
    const smaller = new Map(vector);
    smaller.delete(log);
    vector = smaller;
  }
  return joinSessions(vector === kept.vector ? kept : { vector, stamp: kept.stamp }, answered);
}
