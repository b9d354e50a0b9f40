import type { Option, Target } from './option.ts';

const origins = ['origin'] as const satisfies readonly Target[];

/** The options of an origin whose data are in a database. They are part of the one table (options.ts). */
export const databaseOptions = {
  store: {
    flag: 'store',
    kind: 'store',
    targets: origins,
    group: 'Identity',
    help: 'Database that keeps the data in place of the folder, such as postgres://meridian@db:5432/meridian: PostgreSQL, or what speaks its protocol. ?schema=NAME names the schema (default meridian) that meridian store init made. A password comes by MERIDIAN_STORE, the file, PGPASSWORD or ~/.pgpass, never by the flag. A second origin with the same database stands by, and takes over. See docs/postgres.md.',
  },
  storeLeaseMs: {
    flag: 'store-lease',
    kind: 'duration',
    between: [1000, 60_000],
    targets: origins,
    default: '5s',
    group: 'Identity',
    help: 'Time without a sign of life after which another origin on the same database takes over. Less is a faster fail-over; more bears longer pauses of the process and of the database.',
  },
  storeConnections: {
    flag: 'store-connections',
    kind: 'integer',
    between: [5, 200],
    targets: origins,
    default: '16',
    group: 'Identity',
    help: 'Connections to the database at the most. One writes, one renews the lease, one looks up for writes; of the others two thirds may be held by scans and lists at once.',
  },
} as const satisfies Readonly<Record<string, Option>>;
