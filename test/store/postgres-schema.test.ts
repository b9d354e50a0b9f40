import { expect, it } from 'vitest';
import { createTables } from '../../src/store/postgres/schema.ts';
import type { SqlSession } from '../../src/store/postgres/sql-client.ts';
import { databaseError } from '../support/database-error.ts';

const place = { connectionString: '', schema: 'meridian', shown: 'postgres://db' };

it.each([
  ['PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu', true],
  ['PostgreSQL 18beta1 on x86_64-linux', true],
  ['PostgreSQL 15.2-YB-2025.1.0.1-b3 on x86_64-pc-linux-gnu', false],
  ['CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)', false],
])('creates the tables of %s, settings of its own: %s', async (version, hasOwn) => {
  const asked: string[] = [];
  const session: SqlSession = {
    query: async ({ text }) => {
      asked.push(text);
      if (text.endsWith('.about')) throw databaseError('42P01');
      if (!hasOwn && /^ALTER/.test(text)) throw databaseError('0A000');
      return text === 'SELECT version()' ? [[version]] : [];
    },
    warnings: 0,
    isEnded: false,
    end: async () => {},
    destroy: () => {},
  };
  expect(await createTables(session, place)).toBe(true);
  expect(asked.some((text) => text.startsWith('ALTER TABLE'))).toBe(hasOwn);
  expect(asked.at(-1)).toBe('COMMIT');
});
