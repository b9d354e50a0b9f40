import { MeridianError } from '../../model/errors.ts';

/* Why a follower, or a watch, is sent nothing from the place that it names. */

export function absenceUncertain(): MeridianError {
  return new MeridianError('DATA_LOSS', 'this store lost records of which nothing is known: it serves no followers', {
    reason: 'absence-uncertain',
    retryAfterMs: 5000,
  });
}

/** Rule R8: the member's disk was put back behind a purge. It begins anew, and keeps what only it has. */
export function belowFloor(): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', 'what this member missed was purged here meanwhile: it begins anew', {
    reason: 'below-floor',
  });
}

/** Rule R19: the member was perhaps shown the state of another store, or of an earlier image. It begins anew. */
export function voidProgress(): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', 'this store was opened again since it filled this member in part', {
    reason: 'void-progress',
  });
}

export function watchAhead(logs: readonly string[]): MeridianError {
  return new MeridianError('UNAVAILABLE', `the watch was shown writes of ${logs.join(', ')} that are not here yet`, {
    reason: 'session-not-covered',
    retryAfterMs: 200,
  });
}
