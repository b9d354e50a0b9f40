import { MeridianError, toMeridianError } from '../../model/errors.ts';
import { sleep } from '../../runtime/clock.ts';
import { Lifecycle } from '../../runtime/lifecycle.ts';
import { type Fence, fenceStatement, type Slice, sliceStatement } from './commit-statement.ts';
import { failureOf, leaseLost, sqlError } from './postgres-errors.ts';
import type { PostgresOptions } from './postgres-options.ts';
import { checkTables } from './schema.ts';
import { numberOf, SqlClient, type SqlRow, type SqlValue, type Statement, textOf } from './sql-client.ts';
import { decodeStores, encodeStores, firstStores, type StoreNumbers } from './store-numbers.ts';

/*
 * The one that may write. The row of `writer` holds a lease, 16 random bytes drawn at each take-over, and counts commits.
 * Each commit compares both and counts, in the same transaction as what it changes; so what another process committed, or
 * what the database lost, cannot go unnoticed. When the lease ends is a courtesy: it only keeps a standby from taking over
 * too early. The lease is no number, for after a fail-over that lost commits a number could be issued twice.
 *
 * A commit whose answer is lost. This process takes the lease over from itself. That statement waits for the row of the one
 * that may still be under way, so the count that it reads is final:
 *
 *     before     lease x, commits 7
 *     commit     expects (x, 7); the connection breaks before the answer
 *     take over  waits, then lease y, commits 8: it was committed. Or commits 7: it never will be, as it expects x
 *     again      expects (y, 7)
 *
 * A count below what was acknowledged: the database went back, by a fail-over to a replica that lagged or by a restored
 * backup. That is told loudly, and the member begins a new log (rule R2), whose seals bring followers right.
 */

/** Milliseconds between tries to reach a database that does not answer. */
const retryMs = 100;
/** Of the lease's time, what this process does not rely on: clocks run at different rates, and answers take time. */
const marginShare = 0.2;

/** Reasons for which no commit is tried again. */
const final = /^(lease-lost|store-tail-lost|store-not-created|store-format-unknown|store-login|store-rights)$/;

/** Who holds the store, as the database says. */
export interface Holder {
  readonly holder: string;
  /** `host:port`; empty = nowhere. */
  readonly address: string;
  /** Milliseconds until another one may take over; 0 or less = now. */
  readonly leftMs: number;
}

export interface WriterEvents {
  /** Another process holds the lease, or the database went back: what is in memory here counts no more. */
  readonly lost: (why: MeridianError) => void;
}

export class Writer {
  readonly #options: PostgresOptions;
  readonly #lifecycle: Lifecycle;
  readonly #lost: WriterEvents['lost'];
  readonly #self: string;
  #client: SqlClient | undefined;
  #lease: Buffer | undefined;
  #commits = 0;
  #stores: StoreNumbers = firstStores;
  /** By the monotonic clock: until then nobody else can have taken over. */
  #validUntilMs = 0;
  /** Drawn for a take-over from itself that nobody has answered yet: it may have happened. */
  #drawn: Buffer | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #keepsUp = false;
  /** The count of commits of which a loss was told. */
  #toldAt: number | undefined;
  #isChecked = false;
  #closed = false;

  constructor(options: PostgresOptions, { lost }: WriterEvents) {
    this.#options = options;
    this.#self = `${options.holder} ${options.random.hex(8)}`;
    this.#lost = lost;
    this.#lifecycle = new Lifecycle(() => {});
  }

  /** Names this process in the database, uniquely. */
  get self(): string {
    return this.#self;
  }

  /** Which numbers of `store` are in use, as of the last take-over or change. */
  get stores(): StoreNumbers {
    return this.#stores;
  }

  /** True while nobody else can have taken over, by this process's own clock. */
  get holds(): boolean {
    return this.#lease !== undefined && this.#options.clock.monotonicMs() < this.#validUntilMs;
  }

  /** True while it has the lease, as far as it knows, however long the database has not been heard of. */
  get hasLease(): boolean {
    return this.#lease !== undefined;
  }

  /**
   * Takes the lease where it is free; else says who has it, and notes this process as a standby.
   * @throws UNAVAILABLE, FAILED_PRECONDITION (no tables), UNAUTHENTICATED, PERMISSION_DENIED
   */
  take(): Promise<'taken' | Holder> {
    return this.#queue(async () => {
      const seen = await this.#holder(await this.#connected());
      if (seen.leftMs > 0 && this.#lease === undefined) return seen;
      const holder = await this.#take();
      if (holder === 'taken' && !this.#keepsUp) this.#keepUp();
      return holder;
    });
  }

  /** Once the lease was lost or a commit failed: takes it again. @throws UNAVAILABLE (`lease-lost`) where another one has it */
  takeAgain(): Promise<void> {
    return this.#queue(async () => {
      const expected = this.#commits;
      this.#lease = undefined; // Everything is read again, so it may also come from another one.
      const holder = await this.#take();
      if (holder !== 'taken') throw this.#loses(holder);
      if (this.#commits < expected) this.#tellLost(expected, expected - this.#commits);
    });
  }

  /** Commits slices in one transaction. @throws UNAVAILABLE (`lease-lost`, `store-tail-lost`), RESOURCE_EXHAUSTED: not begun */
  commit(store: number, slices: () => Generator<Slice, void>): Promise<void> {
    return this.#queue(() => this.#settle((client, fence) => this.#write(client, fence, { store, slices })));
  }

  /** Changes which numbers of `store` are in use, as one commit. */
  change(next: StoreNumbers): Promise<void> {
    return this.#queue(async () => {
      const { schema } = this.#options.place;
      await this.#settle(async (client, { lease, commits }) => {
        const text =
          `UPDATE ${schema}.writer SET commits = commits + 1, stores = $3 ` +
          'WHERE one = 1 AND lease = $1 AND commits = $2::int8 RETURNING 1';
        return (await client.query({ text }, [lease, commits, encodeStores(next)])).length;
      });
      this.#stores = next;
    });
  }

  /** Gives the lease back, and ends the connection. Idempotent. */
  async close(): Promise<void> {
    await this.#lifecycle.stop();
    await this.#queue(async () => {
      if (this.#closed) return;
      this.#closed = true;
      const text = `UPDATE ${this.#options.place.schema}.writer SET until = clock_timestamp() WHERE lease = $1`;
      // Where that fails, the lease runs out by itself.
      if (this.#lease !== undefined) await this.#client?.query({ text }, [this.#lease]).catch(() => {});
      this.#lease = undefined;
      await this.#client?.end();
    });
  }

  /** Runs a fenced transaction until its outcome is known. */
  async #settle(run: (client: SqlClient, fence: Fence) => Promise<number>): Promise<void> {
    const { clock, commitMsMax, leaseMs, place, observer } = this.#options;
    const untilMs = clock.monotonicMs() + commitMsMax;
    const before = this.#commits;
    for (;;) {
      const lease = this.#lease;
      if (lease === undefined) throw leaseLost('another process');
      const sentMs = clock.monotonicMs();
      try {
        const client = await this.#connected();
        const counted = await run(client, { lease, commits: before, leaseMs });
        if (counted !== 1) throw await this.#fenced(client);
        this.#commits = before + 1;
        this.#extend(sentMs);
        return;
      } catch (error) {
        if (error instanceof MeridianError && final.test(String(error.details.reason))) throw error;
        const failure = failureOf(error);
        if (failure === 'full' || failure === 'refused') throw sqlError(error, place.shown);
        observer.commitRetried(error);
        if (failure === 'aborted' && clock.monotonicMs() < untilMs) continue;
        if ((await this.#outcome(before, untilMs, error)) === 'committed') return;
      }
    }
  }

  /** What became of a commit that nobody answered. Where it never will be, it may be made again. */
  async #outcome(before: number, untilMs: number, cause: unknown): Promise<'committed' | 'undone'> {
    const { clock, place } = this.#options;
    this.#drop();
    for (;;) {
      if (clock.monotonicMs() >= untilMs) throw sqlError(cause, place.shown);
      const holder = await this.#take().catch((error: unknown) => {
        const { code } = toMeridianError(error);
        if (code !== 'UNAVAILABLE' && code !== 'INTERNAL') throw error;
        return undefined;
      });
      if (holder === undefined) await sleep(clock, retryMs, this.#lifecycle.signal);
      else if (holder !== 'taken') throw this.#loses(holder);
      else if (this.#commits === before + 1) return 'committed';
      else if (this.#commits === before) return 'undone';
      else {
        const missing = before - this.#commits;
        if (missing > 0) this.#tellLost(before, missing);
        throw tailLost(place.shown, missing);
      }
    }
  }

  /** In one statement, or where that would be too large, in one transaction. Resolves with how many rows were counted in. */
  async #write(
    client: SqlClient,
    fence: Fence,
    { store, slices }: { readonly store: number; readonly slices: () => Generator<Slice, void> },
  ): Promise<number> {
    const { schema } = this.#options.place;
    const all = slices();
    const first = all.next();
    const second = all.next();
    const warned = client.warnings;
    if (first.done === true) return 0;
    if (second.done === true) {
      const { statement, values } = sliceStatement(schema, { store, slice: first.value, fence });
      return sure(client, warned, numberOf((await client.query(statement, values))[0]?.[0]));
    }
    try {
      await client.query({ text: 'BEGIN' });
      const { statement, values } = fenceStatement(schema, fence);
      const counted = (await client.query(statement, values)).length;
      if (counted === 1) {
        for (const slice of chain([first.value, second.value], all)) {
          const part = sliceStatement(schema, { store, slice, fence: undefined });
          await client.query(part.statement, part.values);
        }
      }
      await client.query({ text: counted === 1 ? 'COMMIT' : 'ROLLBACK' });
      return sure(client, warned, counted);
    } catch (error) {
      // Of no transaction that failed may anything be left open.
      await client.query({ text: 'ROLLBACK' }).catch(() => client.destroy());
      throw error;
    }
  }

  /** Why a commit counted nowhere, as the row says. */
  async #fenced(client: SqlClient): Promise<MeridianError> {
    const missing = await this.#missing(client);
    if (missing === undefined) return this.#loses(await this.#holder(client));
    this.#tellLost(this.#commits, missing);
    return tailLost(this.#options.place.shown, missing);
  }

  /** Once, whoever notices. @param expected the count that was acknowledged */
  #tellLost(expected: number, missing: number): void {
    if (this.#toldAt === expected) return;
    this.#toldAt = expected;
    this.#options.observer.tailLost(missing);
  }

  /** How many acknowledged commits the database lost; undefined where the lease went with them, or to another one. */
  async #missing(client: SqlClient): Promise<number | undefined> {
    if (this.#lease === undefined) return undefined;
    const text = `SELECT commits FROM ${this.#options.place.schema}.writer WHERE one = 1 AND lease = $1`;
    const [row] = await this.#asked(client, { text }, [this.#lease]);
    return row === undefined ? undefined : this.#commits - numberOf(row[0]);
  }

  /**
   * One that has the lease takes it from itself, and from nobody else: what another one committed in between would
   * go unnoticed. One that has none takes it where it is free.
   */
  async #take(): Promise<'taken' | Holder> {
    const { place, leaseMs, address, clock, random, observer } = this.#options;
    const client = await this.#connected();
    const lease = this.#drawn ?? Buffer.from(random.hex(16), 'hex');
    this.#drawn = lease;
    const sentMs = clock.monotonicMs();
    const from = this.#lease;
    const free = from === undefined ? '(holder = $2 OR until < clock_timestamp())' : 'lease IN ($1, $5)';
    const text =
      `UPDATE ${place.schema}.writer SET lease = $1, holder = $2, address = $3, ` +
      `until = clock_timestamp() + $4::int4 * interval '1 millisecond' ` +
      `WHERE one = 1 AND ${free} RETURNING commits, stores`;
    const values = [lease, this.#self, address, leaseMs, ...(from === undefined ? [] : [from])];
    const [row] = await this.#asked(client, { text }, values);
    if (row === undefined) return this.#holder(client);
    const isNew = from === undefined;
    this.#drawn = undefined;
    this.#lease = lease;
    this.#commits = numberOf(row[0]);
    this.#stores = decodeStores(textOf(row[1]));
    this.#extend(sentMs);
    if (isNew) observer.leaseTaken(this.#options.holder);
    return 'taken';
  }

  async #holder(client: SqlClient): Promise<Holder> {
    const { place } = this.#options;
    const text =
      'SELECT holder, address, (EXTRACT(EPOCH FROM until - clock_timestamp()) * 1000)::int8 ' +
      `FROM ${place.schema}.writer WHERE one = 1`;
    const [row] = await this.#asked(client, { name: 'holder', text }, []);
    return { holder: nameOf(textOf(row?.[0])), address: textOf(row?.[1]), leftMs: numberOf(row?.[2]) };
  }

  async #asked(client: SqlClient, statement: Statement, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    try {
      return await client.query(statement, values);
    } catch (error) {
      if (failureOf(error) === 'unknown') this.#drop();
      throw sqlError(error, this.#options.place.shown);
    }
  }

  async #connected(): Promise<SqlClient> {
    if (this.#client !== undefined && !this.#client.isEnded) return this.#client;
    if (this.#closed) throw leaseLost('nobody');
    try {
      const client = await SqlClient.connect(this.#options);
      if (!this.#isChecked) await checkTables(client, this.#options.place);
      this.#isChecked = true;
      this.#client = client;
      return client;
    } catch (error) {
      throw sqlError(error, this.#options.place.shown);
    }
  }

  #drop(): void {
    this.#client?.destroy();
    this.#client = undefined;
  }

  #loses(holder: Holder): MeridianError {
    const why = leaseLost(holder.holder);
    if (this.#lease === undefined) return why;
    this.#lease = undefined;
    this.#validUntilMs = 0;
    this.#options.observer.leaseLost(holder.holder);
    this.#lost(why);
    return why;
  }

  #extend(sentMs: number): void {
    this.#validUntilMs = Math.max(this.#validUntilMs, sentMs + this.#options.leaseMs * (1 - marginShare));
  }

  /** While there are no commits the lease is renewed all the same. */
  #keepUp(): void {
    this.#keepsUp = true;
    const { clock, leaseMs } = this.#options;
    this.#lifecycle.run('lease', async (signal) => {
      for (;;) {
        await sleep(clock, leaseMs / 4, signal);
        // Where the database is away, the next one tries again; meanwhile `holds` says what is so.
        await this.#queue(() => this.#renew()).catch(() => {});
      }
    });
  }

  async #renew(): Promise<void> {
    const { clock, place, leaseMs } = this.#options;
    if (this.#lease === undefined) return;
    const client = await this.#connected();
    const sentMs = clock.monotonicMs();
    const text =
      `UPDATE ${place.schema}.writer SET until = clock_timestamp() + $2::int4 * interval '1 millisecond' ` +
      'WHERE one = 1 AND lease = $1 RETURNING commits';
    const [row] = await this.#asked(client, { name: 'renew', text }, [this.#lease, leaseMs]);
    if (row === undefined) this.#loses(await this.#holder(client));
    else if (numberOf(row[0]) === this.#commits) this.#extend(sentMs);
    else {
      const missing = this.#commits - numberOf(row[0]);
      this.#tellLost(this.#commits, missing);
      this.#lost(tailLost(place.shown, missing));
    }
  }

  #queue<T>(run: () => Promise<T>): Promise<T> {
    const running = this.#last.then(run);
    this.#last = running.catch(() => {});
    return running;
  }
}

/**
 * A commit that is answered with a warning counts for nothing yet: PostgreSQL warns where somebody cancelled its wait for a
 * synchronous replica. What became of it is looked up by a statement that waits for that replica itself.
 */
function sure(client: SqlClient, warned: number, counted: number): number {
  if (client.warnings === warned) return counted;
  throw new Error('the database warned instead of saying that the commit is safe');
}

function* chain<T>(first: readonly T[], rest: Generator<T, void>): Generator<T, void> {
  yield* first;
  yield* rest;
}

/** The name without what makes it unique. */
function nameOf(holder: string): string {
  return holder.replace(/ [0-9a-f]+$/, '');
}

function tailLost(shown: string, commits: number): MeridianError {
  return new MeridianError(
    'UNAVAILABLE',
    `${shown} lost ${commits} commits that were acknowledged: it was restored, or a replica that lagged took over`,
    { reason: 'store-tail-lost', seen: commits, retryAfterMs: 1000 },
  );
}
