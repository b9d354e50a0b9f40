import pg from 'pg';

/** As `pg` throws what a server says. */
export function databaseError(code: string): Error {
  return Object.assign(new pg.DatabaseError(`said ${code}`, 0, 'error'), { code });
}
