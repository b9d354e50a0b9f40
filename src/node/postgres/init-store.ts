import type { Clock } from '../../runtime/clock.ts';
import { sqlError } from '../../store/postgres/postgres-errors.ts';
import { postgresDefaults } from '../../store/postgres/postgres-options.ts';
import { parsePostgresUrl } from '../../store/postgres/postgres-url.ts';
import { createTables } from '../../store/postgres/schema.ts';
import { SqlClient } from '../../store/postgres/sql-client.ts';

export interface InitializedStore {
  /** The place without its password. */
  readonly store: string;
  readonly schema: string;
  /** False where the tables were there already. */
  readonly created: boolean;
}

/**
 * Creates the tables of an origin in a database. What is there already stays.
 * @throws INVALID_ARGUMENT, UNAVAILABLE, UNAUTHENTICATED, PERMISSION_DENIED (`store-rights`), FAILED_PRECONDITION (a later version)
 */
export async function initStore(url: string, clock: Clock): Promise<InitializedStore> {
  const place = parsePostgresUrl(url);
  const client = await SqlClient.connect({
    ...postgresDefaults,
    place,
    clock,
    idleTransactionMsMax: postgresDefaults.statementMsMax,
  }).catch((error: unknown) => {
    throw sqlError(error, place.shown);
  });
  try {
    const created = await createTables(client, place);
    return { store: place.shown, schema: place.schema, created };
  } finally {
    await client.end();
  }
}
