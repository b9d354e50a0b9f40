import pg from 'pg';
import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { InTurn } from '../../runtime/in-turn.ts';
import type { PostgresObserver } from './postgres-options.ts';
import type { PostgresPlace } from './postgres-url.ts';

/** One statement. A named one is prepared once for each connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

export type SqlValue = Buffer | string | number | null;

/** One row: each column is text as the database writes it. `pg` reads no binary columns, though it sends them. */
export type SqlRow = ReadonlyArray<string | null>;

/** One connection, as its user sees it. */
export interface SqlSession {
  query(statement: Statement, values?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Warnings that came so far. */
  readonly warnings: number;
  readonly isEnded: boolean;
  /** Says goodbye, if the other side still listens. */
  end(): Promise<void>;
  /** Ends the connection at once. */
  destroy(): void;
}

export interface SqlClientOptions {
  readonly place: PostgresPlace;
  readonly clock: Clock;
  readonly observer: PostgresObserver;
  /** Milliseconds that one statement may take. The server ends it then; this side gives up a little later. */
  readonly statementMsMax: number;
  /** Milliseconds that connecting may take. */
  readonly connectMsMax: number;
  /** Milliseconds for which a transaction may wait for its next statement. Then the server ends it, and its locks with it. */
  readonly idleTransactionMsMax: number;
}

/** Milliseconds after the server's own deadline until a statement and its connection are given up. */
const graceMs = 2_000;

/** Columns stay as they travel until it is known what they are. */
const asTheyAre = { getTypeParser: () => (value: unknown) => value };

/**
 * What every session sets, whatever its role, its database or the URL say: how bytes are answered, which functions a
 * name means, what a statement sees, and how long one may take. A server that refuses one of these is not used.
 */
function neededSettings({ statementMsMax }: SqlClientOptions): readonly string[] {
  return [
    'bytea_output = hex',
    'search_path = pg_catalog, pg_temp',
    "default_transaction_isolation = 'read committed'",
    `statement_timeout = ${Math.ceil(statementMsMax)}`,
  ];
}

/**
 * Settings that an engine may not know. A transaction whose process is gone or stalls ends after a while, since it may
 * hold the row that a take-over needs. Statements name rows by keys, and are planned each time they are asked:
 * otherwise a plan that reads whole tables, made while these were small, would be kept when they have grown. Pages go
 * in the order of an index: a page that was sorted from all remaining rows would read them again for the next page.
 */
function usefulSettings({ statementMsMax, idleTransactionMsMax }: SqlClientOptions): readonly string[] {
  return [
    `idle_in_transaction_session_timeout = ${Math.ceil(idleTransactionMsMax)}`,
    'tcp_keepalives_idle = 5',
    'tcp_keepalives_interval = 2',
    'tcp_keepalives_count = 3',
    `tcp_user_timeout = ${Math.ceil(statementMsMax)}`,
    'plan_cache_mode = force_custom_plan',
    'enable_seqscan = off',
    'enable_hashjoin = off',
    'enable_mergejoin = off',
    'enable_bitmapscan = off',
    'enable_sort = off',
    'jit = off',
  ];
}

/** One connection, whose every statement has a deadline. A statement that misses it takes the connection with it. */
export class SqlClient implements SqlSession {
  readonly #client: pg.Client;
  readonly #options: SqlClientOptions;
  #ended = false;
  #warnings = 0;
  readonly #turns = new InTurn();

  private constructor(options: SqlClientOptions) {
    const { place, connectMsMax } = options;
    this.#options = options;
    this.#client = new pg.Client({
      connectionString: place.connectionString,
      connectionTimeoutMillis: connectMsMax,
      // No other setting is asked for at the start: a pooler refuses settings that it does not know.
      application_name: 'meridian',
      keepAlive: true,
    });
    // Noted here, and reported by each statement under way; without a listener it would end the process.
    this.#client.on('error', () => {
      this.#ended = true;
    });
    this.#client.on('end', () => {
      this.#ended = true;
    });
    this.#client.on('notice', ({ severity }) => {
      if (severity !== 'NOTICE' && severity !== 'INFO' && severity !== 'LOG' && severity !== 'DEBUG') this.#warnings++;
    });
  }

  /** @throws what `pg` throws; UNAVAILABLE (`store-read-only`) if this server takes no writes, as a replica does */
  static async connect(options: SqlClientOptions): Promise<SqlClient> {
    const client = new SqlClient(options);
    try {
      await client.#client.connect();
      await client.#configure();
      const [row] = await client.query({ text: 'SHOW transaction_read_only' });
      if (textOf(row?.[0]) === 'on') throw readOnly(options.place.shown);
      return client;
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  /** All at once or, if one of the useful ones is not known, one by one. */
  async #configure(): Promise<void> {
    const set = (settings: readonly string[]) => settings.map((setting) => `SET ${setting}`);
    const [needed, useful] = [set(neededSettings(this.#options)), set(usefulSettings(this.#options))];
    const ignored = (error: unknown) => {
      if (this.isEnded) throw error;
    };
    const isSet = await this.query({ text: [...needed, ...useful].join('; ') }).then(() => true, ignored);
    if (isSet) return;
    await this.query({ text: needed.join('; ') });
    for (const text of useful) await this.query({ text }).catch(ignored);
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** Warnings that came so far. */
  get warnings(): number {
    return this.#warnings;
  }

  /**
   * One after another, in the order of asking. @throws the database's error; UNAVAILABLE (`store-silent`) if it does
   * not answer in time
   */
  query(statement: Statement, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return this.#turns.run(() => this.#query(statement, values));
  }

  async #query(statement: Statement, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    const { clock, observer, statementMsMax } = this.#options;
    const startedMs = clock.monotonicMs();
    let timer: ReturnType<Clock['timer']> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = clock.timer(statementMsMax + graceMs, () => {
        reject(silent(statementMsMax));
        this.destroy();
      });
    });
    const asked = this.#client.query({
      ...(statement.name === undefined ? {} : { name: statement.name }),
      text: statement.text,
      values: [...values],
      rowMode: 'array' as const,
      types: asTheyAre,
    });
    try {
      const { rows } = await Promise.race([asked, late]);
      observer.statement('ok', clock.monotonicMs() - startedMs);
      return rows as SqlRow[];
    } catch (error) {
      observer.statement('failed', clock.monotonicMs() - startedMs);
      throw error;
    } finally {
      timer?.cancel();
      asked.catch(() => {}); // Thrown above, or given up.
    }
  }

  /** Says goodbye, if the other side still listens. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const { clock } = this.#options;
    let timer: ReturnType<Clock['timer']> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = clock.timer(graceMs, resolve);
    });
    await Promise.race([this.#client.end().catch(() => {}), late]);
    timer?.cancel();
    this.destroy();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#ended = true;
    // `end` waits for statements under way; the socket does not.
    streamOf(this.#client)?.destroy();
    void this.#client.end().catch(() => {});
  }
}

/** The socket below `pg`, which itself offers no way to give a connection up. */
function streamOf(client: pg.Client): { destroy(): void } | undefined {
  const { connection } = client as unknown as { readonly connection?: { readonly stream?: { destroy(): void } } };
  return connection?.stream;
}

export function numberOf(column: string | null | undefined): number {
  return Number(column ?? 0);
}

export function textOf(column: string | null | undefined): string {
  return column ?? '';
}

/** The bytes of a column, whose text begins with `\x`. */
export function bytesOf(column: string | null | undefined): Buffer {
  return Buffer.from((column ?? '').slice(2), 'hex');
}

function silent(afterMs: number): MeridianError {
  return new MeridianError('UNAVAILABLE', `the database did not answer within ${afterMs} ms`, {
    reason: 'store-silent',
    retryAfterMs: 1000,
  });
}

function readOnly(shown: string): MeridianError {
  const message = `${shown} takes no writes, as a replica does: an origin needs the primary`;
  return new MeridianError('UNAVAILABLE', message, { reason: 'store-read-only', retryAfterMs: 1000 });
}
