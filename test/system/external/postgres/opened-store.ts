import { systemRandom } from '../../../../src/runtime/random.ts';
import { systemClock } from '../../../../src/runtime/system-clock.ts';
import { PostgresDatabase } from '../../../../src/store/postgres/postgres-database.ts';
import { type PostgresOptions, postgresDefaults } from '../../../../src/store/postgres/postgres-options.ts';
import { PostgresStore } from '../../../../src/store/postgres/postgres-store.ts';
import { parsePostgresUrl } from '../../../../src/store/postgres/postgres-url.ts';
import { createTables } from '../../../../src/store/postgres/schema.ts';
import { SqlClient } from '../../../../src/store/postgres/sql-client.ts';

export function optionsFor(url: string, options: Partial<PostgresOptions> = {}): PostgresOptions {
  return {
    ...postgresDefaults,
    place: parsePostgresUrl(url),
    clock: systemClock,
    random: systemRandom,
    leaseMs: 2_000,
    ...options,
  };
}

export async function createIn(url: string): Promise<boolean> {
  const options = optionsFor(url);
  const client = await SqlClient.connect({ ...options, idleTransactionMsMax: options.statementMsMax });
  return createTables(client, options.place).finally(() => client.end());
}

export interface OpenedStore {
  readonly database: PostgresDatabase;
  readonly store: PostgresStore;
  /** Why this process was told to stop. */
  readonly lost: unknown[];
}

/** A store over tables that are there, with the lease taken; the lease must be free. */
export async function openStore(url: string, options: Partial<PostgresOptions> = {}): Promise<OpenedStore> {
  const lost: unknown[] = [];
  const database = new PostgresDatabase(optionsFor(url, options), { lost: (why) => lost.push(why) });
  try {
    const taken = await database.take();
    if (taken !== 'taken') throw new Error(`held by ${taken.holder}`);
    return { database, store: await PostgresStore.open(database), lost };
  } catch (error) {
    await database.close();
    throw error;
  }
}
