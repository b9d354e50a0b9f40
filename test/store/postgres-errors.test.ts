import { expect, it } from 'vitest';
import { sqlError } from '../../src/store/postgres/postgres-errors.ts';
import { databaseError } from '../support/database-error.ts';

it.each(['26000', '42P05'])('says of %s, which a pooler in transaction mode brings about, what to do', (code) => {
  const error = sqlError(databaseError(code), 'postgres://db');
  expect(error).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('session mode') });
});
