import type { Clock } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import type { PostgresPlace } from './postgres-url.ts';

/** What is counted. Each method returns at once, and does not throw. */
export interface PostgresObserver {
  statement(outcome: 'ok' | 'failed', durationMs: number): void;
  /** A commit is tried again, or its outcome is looked up, after this error. */
  commitRetried(error: unknown): void;
  leaseTaken(holder: string): void;
  /** Another process took the lease. */
  leaseLost(holder: string): void;
  /** The database lost this many acknowledged commits. */
  tailLost(commits: number): void;
}

export interface PostgresOptions {
  readonly place: PostgresPlace;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: PostgresObserver;
  /** Names this process in the database, for standbys and for people. */
  readonly holder: string;
  /** `host:port` at which others reach this process; empty = nowhere. */
  readonly address: string;
  /** Milliseconds after which another process may take over from a silent one. */
  readonly leaseMs: number;
  /** Milliseconds that the lease of any process lasts, at the most. */
  readonly leaseMsMax: number;
  /** Milliseconds that one statement may take. */
  readonly statementMsMax: number;
  /** Milliseconds that connecting may take. */
  readonly connectMsMax: number;
  /** Milliseconds within which a commit whose connection is lost is settled; then it fails. */
  readonly commitMsMax: number;
  /** Connections at the most, the writer's two among them; five or more. */
  readonly connectionsMax: number;
  /** Milliseconds that a snapshot lives, at the most: the database keeps what it shows for so long. */
  readonly snapshotMsMax: number;
  /** About how many bytes a statement of a commit has: what the server and this side hold of a batch at once. */
  readonly sliceBytesMax: number;
  /** Rows of one statement of a commit. */
  readonly sliceRowsMax: number;
}

export const postgresDefaults = {
  holder: 'meridian',
  address: '',
  leaseMs: 5_000,
  leaseMsMax: 60_000,
  statementMsMax: 10_000,
  connectMsMax: 3_000,
  commitMsMax: 20_000,
  connectionsMax: 16,
  snapshotMsMax: 300_000,
  sliceBytesMax: 1024 * 1024,
  sliceRowsMax: 5_000,
  observer: {
    statement: () => {},
    commitRetried: () => {},
    leaseTaken: () => {},
    leaseLost: () => {},
    tailLost: () => {},
  } satisfies PostgresObserver,
} as const;
