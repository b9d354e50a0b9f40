import { MeridianError } from '../../model/errors.ts';
import { notCreated, sqlCodeOf, sqlError } from './postgres-errors.ts';
import { type PostgresPlace, quoted } from './postgres-url.ts';
import { numberOf, type SqlSession, textOf } from './sql-client.ts';

/*
 * The tables of one origin. Several origins may share a database: each has a schema of its own.
 *
 *     writer    one row: who may commit, how often there was a commit, and which numbers of `store` are in use
 *     record    one row a record: its head (record-row.ts), where it stands in its log, when it ended, its value up to 64 KiB
 *     chunk     larger values, in parts
 *     meta      named state
 *     standby   processes that wait for the lease
 *
 * `store` tells apart what an origin runs over and what it put aside to begin anew (rule R8): putting one aside, or erasing
 * it, changes a number in `writer`, in one statement, however much it holds. The log is an index over `record` and no
 * table: there is nothing that could disagree with the records. It is not unique, as two records may change places.
 *
 * `kind` and `ended` find what is to expire or to be purged, and what is damaged:
 */
export const kinds = { live: 1, tombstone: 2, damaged: 3 } as const;

/** The version of these tables. A later one is not used. */
export const schemaVersion = 1;

/** No such table, and no such schema. */
const missingCodes = /^(42P01|3F000)$/;

/** A name that is taken already: of a schema, a table, a row type or an index; the catalogue says so too. */
const takenCodes = /^(42P06|42P07|42710|23505)$/;

const tables = [
  'CREATE TABLE %.about (version integer NOT NULL)',
  `CREATE TABLE %.writer (
    one smallint PRIMARY KEY CHECK (one = 1),
    lease bytea NOT NULL,
    commits bigint NOT NULL,
    holder text NOT NULL,
    address text NOT NULL,
    until timestamptz NOT NULL,
    stores text NOT NULL
  )`,
  `CREATE TABLE %.record (
    store integer NOT NULL,
    namespace bytea NOT NULL,
    key bytea NOT NULL,
    log bytea NOT NULL,
    sequence bigint NOT NULL,
    kind smallint NOT NULL,
    ended bigint,
    head bytea NOT NULL,
    value bytea,
    PRIMARY KEY (store, namespace, key)
  )`,
  'CREATE INDEX record_log ON %.record (store, log, sequence)',
  'CREATE INDEX record_ended ON %.record (store, kind, ended, namespace, key) WHERE ended IS NOT NULL',
  `CREATE TABLE %.chunk (
    store integer NOT NULL,
    namespace bytea NOT NULL,
    key bytea NOT NULL,
    stamp bytea NOT NULL,
    part integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (store, namespace, key, stamp, part)
  )`,
  `CREATE TABLE %.meta (
    store integer NOT NULL,
    name bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (store, name)
  )`,
  `CREATE TABLE %.standby (
    holder text PRIMARY KEY,
    address text NOT NULL,
    seen timestamptz NOT NULL
  )`,
  `INSERT INTO %.writer VALUES (1, '', 0, '', '', clock_timestamp(), '{"current":1,"aside":[],"dropped":[],"last":1}')`,
  `INSERT INTO %.about VALUES (${schemaVersion})`,
];

/**
 * Settings that only PostgreSQL knows. The row of the writer and the few of `meta` change with each commit: with room
 * beside them their new versions stay in the page, and are cleaned up without a vacuum. Values are not compressed:
 * parts are cut out of them, and they are often compressed already. No statistics are kept of which stores there are: a
 * store that began after the counting would be taken for empty, and read whole, by the order of its log, for each key.
 */
const settings = [
  'ALTER TABLE %.writer SET (fillfactor = 10)',
  'ALTER TABLE %.meta SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)',
  'ALTER TABLE %.record SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1)',
  'ALTER TABLE %.chunk SET (autovacuum_vacuum_scale_factor = 0.05)',
  'ALTER TABLE %.record ALTER COLUMN store SET STATISTICS 0',
  'ALTER TABLE %.record ALTER COLUMN value SET STORAGE EXTERNAL',
  'ALTER TABLE %.chunk ALTER COLUMN bytes SET STORAGE EXTERNAL',
];

/** YugabyteDB says `PostgreSQL 15.2-YB-…`, and refuses settings of storage. */
const isPostgres = /^PostgreSQL (?!\S*-YB-)/;

/**
 * Creates the tables in one transaction, in a schema that is made if it is missing. True if they were created, false if
 * they were there already.
 * @throws PERMISSION_DENIED if the user lacks a right; FAILED_PRECONDITION if a later version made them
 */
export async function createTables(client: SqlSession, { schema, shown }: PostgresPlace): Promise<boolean> {
  try {
    if ((await versionIn(client, schema)) !== undefined) {
      await checkTables(client, { schema, shown });
      return false;
    }
    const [found] = await client.query({ text: 'SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1' }, [schema]);
    const [product] = await client.query({ text: 'SELECT version()' });
    const own = isPostgres.test(textOf(product?.[0])) ? settings : [];
    await client.query({ text: 'BEGIN' });
    if (found === undefined) await client.query({ text: `CREATE SCHEMA ${quoted(schema)}` });
    for (const statement of [...tables, ...own]) await client.query({ text: statement.replace('%', quoted(schema)) });
    await client.query({ text: 'COMMIT' });
    return true;
  } catch (error) {
    await client.query({ text: 'ROLLBACK' }).catch(() => {}); // The earlier error is what counts.
    if (sqlCodeOf(error) === '42501') throw noRights(schema, error);
    if (takenCodes.test(sqlCodeOf(error) ?? '') && (await areThere(client, { schema, shown }))) return false;
    throw sqlError(error, shown);
  }
}

/** A process that makes them at the same time was waited for: it is done, or has failed. */
async function areThere(client: SqlSession, place: Pick<PostgresPlace, 'schema' | 'shown'>): Promise<boolean> {
  return checkTables(client, place).then(
    () => true,
    () => false,
  );
}

/** @throws FAILED_PRECONDITION if the tables are missing, or of a version that this one does not know */
export async function checkTables(
  client: SqlSession,
  { schema, shown }: Pick<PostgresPlace, 'schema' | 'shown'>,
): Promise<void> {
  const version = await versionIn(client, schema);
  if (version === undefined) throw notCreated(`${shown}: no schema ${schema}`);
  if (version === schemaVersion) return;
  throw new MeridianError(
    'FAILED_PRECONDITION',
    `the tables of ${shown} are of version ${version}, and this Meridian knows version ${schemaVersion}`,
    { reason: 'store-format-unknown', limit: schemaVersion, seen: version },
  );
}

/** Undefined if there are none. A list of tables would not tell: it leaves out those on which the user has no right. */
async function versionIn(client: SqlSession, schema: string): Promise<number | undefined> {
  const [row] = await client.query({ text: `SELECT version FROM ${quoted(schema)}.about` }).catch((error: unknown) => {
    if (missingCodes.test(sqlCodeOf(error) ?? '')) return [];
    throw error;
  });
  return row === undefined ? undefined : numberOf(row[0]);
}

function noRights(schema: string, cause: unknown): MeridianError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new MeridianError(
    'PERMISSION_DENIED',
    `this user may not create the tables (${said}): let it create schemas (GRANT CREATE ON DATABASE … TO …), or make one ` +
      `that it owns (CREATE SCHEMA ${schema} AUTHORIZATION …)`,
    { reason: 'store-rights', cause },
  );
}
