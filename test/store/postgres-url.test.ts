import { describe, expect, it } from 'vitest';
import { parsePostgresUrl } from '../../src/store/postgres/postgres-url.ts';

function errorOf(url: string): string {
  try {
    return `accepted as ${parsePostgresUrl(url).shown}`;
  } catch (error) {
    return String(error);
  }
}

describe('the URL of a database', () => {
  it.each(['p%2Fw%3F%23%40', 'plain'])('is shown without its password %s, which goes to the database', (password) => {
    const place = parsePostgresUrl(`postgres://me:${password}@db:5432/kv?password=p2&sslmode=verify-full&schema=eu`);
    expect(place.connectionString).toContain(`me:${password}@db`);
    expect(place.shown).toBe('postgres://me@db:5432/kv?sslmode=verify-full&schema=eu');
    expect(place.schema).toBe('eu');
  });

  // Digits before one of these read as a port, and what follows as a path.
  it.each(['12/secret', '12?secret', '12#secret', 'secret#12', 'secret', '/secret', 'a/secret'])(
    'shows no password %s whose signs are not escaped',
    (password) => {
      expect(errorOf(`postgres://me:${password}@db/kv`)).not.toContain('secret');
    },
  );

  it.each(['12/secret', '12?secret', '12#secret'])('says of a password like %s how it is written', (password) => {
    expect(errorOf(`postgres://me:${password}@db/kv`)).toContain('%2F %3F %23 or %40');
  });

  it('takes a user with an @ as a parameter', () => {
    expect(parsePostgresUrl('postgres://db/kv?user=me@azure').connectionString).toContain('user=me%40azure');
  });
});
