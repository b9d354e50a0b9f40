import pg from 'pg';
import { MeridianError } from '../../model/errors.ts';

/*
 * What became of a statement that failed:
 *
 *     aborted     the database said so: nothing of it counts, and it may be tried again
 *     full        the same, for want of room
 *     refused     the same, and it would be refused again: a right or a table is missing
 *     unknown     the connection ended, or the deadline passed, before an answer came: it may have been committed
 *
 * Codes: "PostgreSQL Error Codes" (appendix A of its manual). CockroachDB and YugabyteDB use the same ones.
 */
export type SqlFailure = 'aborted' | 'full' | 'refused' | 'unknown';

/** Serialization failures, deadlocks, cancelled statements: the same statement may go through the next time. */
const abortedCodes = /^(40001|40P01|55P03|57014)$/;
/** Disk full, out of memory, and the other codes of insufficient resources, except too many connections. */
const fullCodes = /^(53100|53200|53400)$/;
/** Class 57P: the server goes down; 25006: it was demoted; 08: the connection failed; 40003: the outcome is unknown. */
const unknownCodes = /^(57P0[1-5]|25006|08.{3}|40003|53300|XX.{3})$/;

export function failureOf(error: unknown): SqlFailure {
  const code = sqlCodeOf(error);
  if (code === undefined || unknownCodes.test(code)) return 'unknown';
  if (abortedCodes.test(code)) return 'aborted';
  if (fullCodes.test(code)) return 'full';
  return 'refused';
}

/** The five characters of a SQLSTATE; undefined where the server did not answer. A socket's EPIPE has five as well. */
export function sqlCodeOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** Puts errors into the store's own words. A MeridianError stays as it is. */
export function sqlError(error: unknown, shown: string): MeridianError {
  if (error instanceof MeridianError) return error;
  const code = sqlCodeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const said = `${shown}: ${message}${code === undefined ? '' : ` (SQLSTATE ${code})`}${hintOf(code)}`;
  switch (code) {
    case '28000':
    case '28P01':
      return new MeridianError('UNAUTHENTICATED', `the database refuses this user: ${said}`, { reason: 'store-login' });
    case '42501':
      return new MeridianError('PERMISSION_DENIED', `the database user lacks a right: ${said}`, {
        reason: 'store-rights',
      });
    case '3D000':
    case '3F000':
    case '42P01':
      return notCreated(said);
    case '53100':
    case '53200':
    case '53400':
      return new MeridianError('RESOURCE_EXHAUSTED', `the database has no room: ${said}`, {
        reason: 'disk-full',
        retryAfterMs: 1000,
        cause: error,
      });
    default:
      return new MeridianError('UNAVAILABLE', `the database cannot be used: ${said}`, {
        reason: 'store-unreachable',
        retryAfterMs: 1000,
        cause: error,
      });
  }
}

/** Prepared statements that are gone, or another session's: a pooler runs each transaction in another session. */
function hintOf(code: string | undefined): string {
  if (code !== '26000' && code !== '42P05') return '';
  return '; a pooler in transaction mode does that: connect directly, or by session mode';
}

export function notCreated(said: string): MeridianError {
  const message = `the tables are not there (${said}): create them with meridian store init`;
  return new MeridianError('FAILED_PRECONDITION', message, { reason: 'store-not-created' });
}

/** It is unknown whether a commit happened: nothing more is written until the store was read again. */
export function unsettled(shown: string, cause: unknown): MeridianError {
  const said = cause instanceof Error ? `: ${cause.message}` : '';
  return new MeridianError('UNAVAILABLE', `${shown} does not say what became of a commit${said}`, {
    reason: 'store-unsettled',
    retryAfterMs: 1000,
    cause,
  });
}

/** Another process writes in this store now, or has since. */
export function leaseLost(holder: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `this process does not hold the store any more: ${holder} does`, {
    reason: 'lease-lost',
    retryAfterMs: 1000,
  });
}

/** The database lost commits that it had acknowledged. */
export function tailLost(shown: string, commits: number): MeridianError {
  return new MeridianError(
    'UNAVAILABLE',
    `${shown} lost ${commits} commits that were acknowledged: it was restored, or a replica that lagged took over`,
    { reason: 'store-tail-lost', seen: commits, retryAfterMs: 1000 },
  );
}
