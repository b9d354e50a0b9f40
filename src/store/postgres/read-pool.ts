import { isMeridianError, MeridianError } from '../../model/errors.ts';
import { sleep } from '../../runtime/clock.ts';
import { Semaphore } from '../../runtime/semaphore.ts';
import { failureOf, sqlCodeOf, sqlError } from './postgres-errors.ts';
import type { PostgresOptions } from './postgres-options.ts';
import {
  SqlClient,
  type SqlClientOptions,
  type SqlRow,
  type SqlSession,
  type SqlValue,
  type Statement,
} from './sql-client.ts';

/** Reads that wait for a connection at the most; one more is refused. */
const waitingMax = 10_000;
/** Milliseconds between tries to reach a database that is away. */
const retryMs = 50;

/** Milliseconds for which a transaction of a view may be idle after the view's own deadline. */
const idleGraceMs = 10_000;

/**
 * What a read is for. One more connection is kept for reads that a write waits for, and the last of the others for
 * views, for which a commit waits: so neither queues behind thousands of reads.
 */
export type Use = 'read' | 'view' | 'write';

/** Connections for reading, made as they are needed, and kept. */
export class ReadPool {
  readonly #options: PostgresOptions;
  /** How many reads may ask for a connection. */
  readonly #reads: Semaphore;
  readonly #shared: Semaphore;
  readonly #writes: Semaphore;
  readonly #idle: SqlSession[] = [];
  readonly #size: number;
  readonly #ending = new AbortController();
  readonly #used = new Set<SqlSession>();
  #inUse = 0;
  #generation = 0;
  readonly #connect: (options: SqlClientOptions) => Promise<SqlSession>;

  /** @param size connections at the most, three or more */
  constructor(
    options: PostgresOptions,
    size: number,
    connect: (options: SqlClientOptions) => Promise<SqlSession> = SqlClient.connect,
  ) {
    this.#options = options;
    this.#size = size;
    this.#connect = connect;
    this.#writes = new Semaphore(1, waitingMax);
    this.#shared = new Semaphore(size - 1, waitingMax);
    this.#reads = new Semaphore(size - 2, waitingMax);
  }

  /** Connections in use, how many there may be, and how many callers wait. */
  get load(): { readonly used: number; readonly size: number; readonly waiting: number } {
    const waiting = this.#reads.waiting + this.#shared.waiting + this.#writes.waiting;
    return { used: this.#inUse, size: this.#size, waiting };
  }

  /**
   * One statement on any connection, which may be made twice. A database that is away for a moment, as in a fail-over,
   * is waited for, no longer than a statement may take. @throws UNAVAILABLE (`store-unreachable`), RESOURCE_EXHAUSTED
   */
  async ask(
    statement: Statement,
    values: readonly SqlValue[],
    what: 'read' | 'write' = 'read',
  ): Promise<readonly SqlRow[]> {
    const { clock, statementMsMax } = this.#options;
    const untilMs = clock.monotonicMs() + statementMsMax;
    for (;;) {
      try {
        return await this.use(what, (client) => client.query(statement, values));
      } catch (error) {
        const isAway = isMeridianError(error) && error.details.reason === 'store-unreachable';
        if (
          !isAway ||
          failureOf(error.cause) !== 'unknown' ||
          this.#ending.signal.aborted ||
          clock.monotonicMs() >= untilMs
        )
          throw error;
        await sleep(clock, retryMs, this.#ending.signal);
      }
    }
  }

  /** @throws UNAVAILABLE (`store-unreachable`), RESOURCE_EXHAUSTED (`store-busy`) if too many wait, or one too long */
  async use<T>(what: Use, run: (client: SqlSession) => Promise<T>): Promise<T> {
    const release = await this.#permitted(what);
    this.#inUse++;
    const generation = this.#generation;
    let client = this.#idle.pop();
    // The server, or something in between, ends a connection that is idle for too long.
    while (client?.isEnded === true) client = this.#idle.pop();
    try {
      client ??= await this.#connected();
      this.#used.add(client);
      return await run(client);
    } catch (error) {
      // No other caller may go on in a transaction that is over, or was never begun.
      if (/^25P0/.test(sqlCodeOf(error) ?? '')) client?.destroy();
      throw sqlError(error, this.#options.place.shown);
    } finally {
      if (client !== undefined) {
        this.#used.delete(client);
        this.#keep(client, generation);
      }
      this.#inUse--;
      release();
    }
  }

  /**
   * The database may be another server by now, and older connections may lead to one that was left behind: they are
   * ended. Reads that are under way are asked again; views end.
   */
  renew(): void {
    this.#generation++;
    for (const client of [...this.#idle.splice(0), ...this.#used]) client.destroy();
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    this.#ending.abort(tooMany());
    for (const client of this.#used) client.destroy();
    await Promise.all(this.#idle.splice(0).map((client) => client.end()));
  }

  async #connected(): Promise<SqlSession> {
    const client = await this.#connect({
      ...this.#options,
      idleTransactionMsMax: this.#options.snapshotMsMax + idleGraceMs,
    });
    if (!this.#ending.signal.aborted) return client;
    client.destroy();
    throw tooMany();
  }

  #keep(client: SqlSession, generation: number): void {
    if (client.isEnded) return;
    if (this.#ending.signal.aborted || generation !== this.#generation) client.destroy();
    else this.#idle.push(client);
  }

  /** A read waits as long as one statement may take: past that, the database is too slow for what is asked of it. */
  async #permitted(what: Use): Promise<() => void> {
    const { clock, statementMsMax } = this.#options;
    const late = new AbortController();
    const timer = clock.timer(statementMsMax, () => late.abort(tooMany()));
    const taken: Semaphore[] = [];
    const release = () => {
      for (const semaphore of taken.splice(0)) semaphore.release();
    };
    const needed = what === 'write' ? [this.#writes] : what === 'view' ? [this.#shared] : [this.#reads, this.#shared];
    try {
      for (const semaphore of needed) {
        if (!semaphore.tryAcquire() && !(await semaphore.acquire(late.signal))) throw tooMany();
        taken.push(semaphore);
      }
      return release;
    } catch (error) {
      release();
      throw error;
    } finally {
      timer.cancel();
    }
  }
}

function tooMany(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', 'every connection to the database is in use', {
    reason: 'store-busy',
    retryAfterMs: 100,
  });
}
