import { MeridianError } from '../../model/errors.ts';

/** Where an origin's data are, as `--store` names it. */
export interface PostgresPlace {
  /** For `pg`, without the parameters that only Meridian knows. May hold a password. */
  readonly connectionString: string;
  /** The database schema that holds the tables. */
  readonly schema: string;
  /** The same place without its password, for logs, status and errors. */
  readonly shown: string;
}

const schemaDefault = 'meridian';
const schemaPattern = /^[a-z_][a-z0-9_]{0,62}$/;

/** Parameters by which a URL could carry a secret besides its password. */
const secretParameters = ['password', 'sslpassword'] as const;

/**
 * Reads `postgres://[user[:password]@]host[:port]/database[?schema=NAME&sslmode=…]`. What the URL leaves out comes from
 * the environment as psql reads it (PGHOST, PGUSER, PGPASSWORD, …) and from `~/.pgpass`.
 * @throws INVALID_ARGUMENT, which never shows the password
 */
export function parsePostgresUrl(text: string): PostgresPlace {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw badUrl('it is no URL'); // The parser's own error would show all of the text.
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')
    throw badUrl(`${url.protocol}// is not supported`);
  // Otherwise the rest of the password would be shown.
  if (url.hash !== '' || url.pathname.includes('@') || [...url.searchParams.keys()].some((name) => name.includes('@')))
    throw badUrl('a / ? # or @ of a user or of a password is written as %2F %3F %23 or %40');
  const schema = url.searchParams.get('schema') ?? schemaDefault;
  if (!schemaPattern.test(schema)) {
    throw badUrl(`schema=${schema} is no name of lower-case letters, digits and _, of at most 63 characters`);
  }
  url.searchParams.delete('schema');
  const connectionString = url.href;
  url.password = '';
  for (const name of secretParameters) url.searchParams.delete(name);
  if (schema !== schemaDefault) url.searchParams.set('schema', schema);
  return { connectionString, schema, shown: url.href };
}

/** As a name in a statement: schemas may be called `user` or `table`. */
export function quoted(schema: string): string {
  return `"${schema}"`;
}

function badUrl(why: string): MeridianError {
  return new MeridianError(
    'INVALID_ARGUMENT',
    `a store is named by postgres://[USER@]HOST[:PORT]/DATABASE[?schema=NAME]: ${why}`,
    { reason: 'bad-store-url' },
  );
}
