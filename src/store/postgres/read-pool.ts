import { isMeridianError, MeridianError } from '../../model/errors.ts';
import { sleep } from '../../runtime/clock.ts';
import { Semaphore } from '../../runtime/semaphore.ts';
import { failureOf, sqlError } from './postgres-errors.ts';
import type { PostgresOptions } from './postgres-options.ts';
import { SqlClient, type SqlRow, type SqlValue, type Statement } from './sql-client.ts';

/** Reads that wait for a connection at the most; one more is refused. */
const waitingMax = 10_000;
/** Milliseconds between tries to reach a database that is away. */
const retryMs = 50;

/** Connections for reading, made as they are needed, and kept. */
export class ReadPool {
  readonly #options: PostgresOptions;
  readonly #permits: Semaphore;
  readonly #idle: SqlClient[] = [];
  readonly #size: number;
  readonly #ending = new AbortController();
  #used = 0;
  #closed = false;

  constructor(options: PostgresOptions, size: number) {
    this.#options = options;
    this.#size = size;
    this.#permits = new Semaphore(size, waitingMax);
  }

  /** Connections in use, how many there may be, and who waits. */
  get load(): { readonly used: number; readonly size: number; readonly waiting: number } {
    return { used: this.#used, size: this.#size, waiting: this.#permits.waiting };
  }

  /**
   * One statement on any connection, which may be made twice. A database that is away for a moment, as in a fail-over, is
   * waited for, no longer than a statement may take. @throws UNAVAILABLE (`store-unreachable`), RESOURCE_EXHAUSTED
   */
  async ask(statement: Statement, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    const { clock, statementMsMax } = this.#options;
    const untilMs = clock.monotonicMs() + statementMsMax;
    for (;;) {
      try {
        return await this.use((client) => client.query(statement, values));
      } catch (error) {
        const isAway = isMeridianError(error) && error.details.reason === 'store-unreachable';
        if (!isAway || failureOf(error.cause) !== 'unknown' || this.#closed || clock.monotonicMs() >= untilMs)
          throw error;
        await sleep(clock, retryMs, this.#ending.signal);
      }
    }
  }

  /** @throws UNAVAILABLE (`store-unreachable`), RESOURCE_EXHAUSTED where too many wait */
  async use<T>(run: (client: SqlClient) => Promise<T>): Promise<T> {
    if (!(await this.#permitted())) throw tooMany();
    this.#used++;
    let client = this.#idle.pop();
    try {
      client ??= await SqlClient.connect(this.#options);
      return await run(client);
    } catch (error) {
      throw sqlError(error, this.#options.place.shown);
    } finally {
      if (client !== undefined) this.#keep(client);
      this.#used--;
      this.#permits.release();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ending.abort(tooMany());
    await Promise.all(this.#idle.splice(0).map((client) => client.end()));
  }

  #keep(client: SqlClient): void {
    if (client.isEnded) return;
    if (this.#closed || this.#idle.length >= this.#size) void client.end();
    else this.#idle.push(client);
  }

  /** A read waits as long as one statement may take: then the database is too slow for what is asked of it. */
  async #permitted(): Promise<boolean> {
    if (this.#permits.tryAcquire()) return true;
    const { clock, statementMsMax } = this.#options;
    const late = new AbortController();
    const timer = clock.timer(statementMsMax, () => late.abort(tooMany()));
    return this.#permits.acquire(late.signal).finally(() => timer.cancel());
  }
}

function tooMany(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', 'every connection to the database is in use', {
    reason: 'store-busy',
    retryAfterMs: 100,
  });
}
