import type { OriginConfig } from '../../config/config.ts';
import type { PostgresDatabase } from '../../store/postgres/postgres-database.ts';
import {
  type PostgresObserver,
  type PostgresOptions,
  postgresDefaults,
} from '../../store/postgres/postgres-options.ts';
import { type PostgresPlace, parsePostgresUrl } from '../../store/postgres/postgres-url.ts';
import { textOf } from '../../store/postgres/sql-client.ts';
import { advertisedAddress } from '../advertised-address.ts';
import type { Outside } from '../outside.ts';

/** What an origin's configuration says of its database, and where to tell what happens. */
export interface DatabaseSettings {
  readonly url: string;
  readonly config: Pick<OriginConfig, 'name' | 'listen' | 'advertise' | 'storeLeaseMs' | 'storeConnections'>;
  readonly outside: Outside;
  readonly counting: Counting;
}

/** Who counts what happens at the database. It is opened before the node has metrics. */
export interface Counting {
  by: PostgresObserver;
}

/** Which of the database's settings let acknowledged writes be lost, and what the log says of them. */
const unsafeSettings = [
  ['synchronous_commit', 'off', 'commits are acknowledged before they are on disk: a crash of the database loses them'],
  ['fsync', 'off', 'the database syncs nothing: a power cut loses or damages everything'],
  ['full_page_writes', 'off', 'a power cut may damage pages of the database'],
  [
    'synchronous_commit',
    'local',
    'commits are acknowledged before a replica has them, whatever synchronous_standby_names says: a fail-over loses them',
  ],
] as const;

export function databaseOptions({ url, config, outside, counting }: DatabaseSettings): PostgresOptions {
  const { clock, random, logger } = outside;
  const place = parsePostgresUrl(url);
  const store = place.shown;
  return {
    ...postgresDefaults,
    place,
    clock,
    random,
    holder: config.name,
    address: advertisedAddress(config).address ?? '',
    leaseMs: config.storeLeaseMs,
    connectionsMax: config.storeConnections,
    observer: {
      statement: (outcome, durationMs) => counting.by.statement(outcome, durationMs),
      commitRetried: (error) => {
        counting.by.commitRetried(error);
        logger.log('warn', 'a commit is looked up or tried again', { store, error: String(error) });
      },
      leaseTaken: (holder) => {
        counting.by.leaseTaken(holder);
        logger.log('info', 'this process holds the store', { store });
      },
      leaseLost: (holder) => {
        counting.by.leaseLost(holder);
        logger.log('error', 'another process holds the store: nothing more is written here', { store, holder });
      },
      tailLost: (commits) => {
        counting.by.tailLost(commits);
        logger.log('error', 'the database LOST acknowledged commits: a new log begins', { store, commits });
      },
    },
  };
}

/** Says in the log where the database is set so that what it acknowledges may be lost. */
export async function warnOfSettings(
  database: PostgresDatabase,
  { shown }: PostgresPlace,
  { logger }: Outside,
): Promise<void> {
  for (const [setting, value, risk] of unsafeSettings) {
    // Not every engine has it; one that has not cannot have it off.
    const rows = await database.ask({ text: `SHOW ${setting}` }, []).catch(() => []);
    if (textOf(rows[0]?.[0]) === value) logger.log('warn', risk, { store: shown, setting, value });
  }
}
