import { Semaphore } from '../../runtime/semaphore.ts';
import type { Slice } from './commit-statement.ts';
import { sqlError } from './postgres-errors.ts';
import type { PostgresOptions } from './postgres-options.ts';
import type { PostgresSnapshot, View } from './postgres-snapshot.ts';
import { quoted } from './postgres-url.ts';
import { ReadPool } from './read-pool.ts';
import type { Ask } from './record-reader.ts';
import { numberOf, SqlClient, type SqlClientOptions, type SqlSession, textOf } from './sql-client.ts';
import { reaped, type StoreNumbers } from './store-numbers.ts';
import { Writer, type WriterEvents } from './writer.ts';
import { type Holder, nameOf } from './writer-row.ts';

/** Rows of a dropped store that one statement deletes; fewer chunks, since each is large. */
const reapedRowsMax = 5_000;
const reapedChunksMax = 100;
/** Milliseconds for which a standby counts after it was last seen. */
const standbyMsMax = 10_000;

/** A view that was asked for and is not taken yet. */
interface Pending {
  readonly taken: Promise<unknown>;
  /** It waits for a connection. */
  isWaiting: boolean;
  /** Records that were there when it was asked for may be missing from it. */
  isOvertaken: boolean;
}

/**
 * The connections of one origin to its database, its lease, and what its stores share. A view is taken a moment after
 * it was asked for, so a commit waits for the views that the database is taking: later writes do not show in them. A
 * view that waits for a connection may show later records, as a reader of any other copy may see them. But it would
 * silently lack what is purged meanwhile, and a follower that goes on from a cursor would keep for ever what was
 * deleted (rule R8). A purge may have overtaken a view that was asked for before the purge was over and taken after it
 * began. Such a view says so, and the order of logs, in which a cursor goes on, is not read from it.
 */
export class PostgresDatabase {
  /** The open snapshots of all its stores. */
  readonly snapshots = new Set<PostgresSnapshot>();
  readonly #options: PostgresOptions;
  readonly #writer: Writer;
  readonly #pool: ReadPool;
  readonly #views: Semaphore;
  readonly #pending = new Set<Pending>();
  readonly #ending = new AbortController();
  #reaping: Promise<void> = Promise.resolve();
  /** Commits under way that remove records. */
  #takingAway = 0;
  #closed: Promise<void> | undefined;

  /** @param connect opens a connection. Default: to the server that `place` names */
  constructor(
    options: PostgresOptions,
    events: WriterEvents,
    connect: (options: SqlClientOptions) => Promise<SqlSession> = SqlClient.connect,
  ) {
    this.#options = options;
    this.#writer = new Writer(options, { connected: () => this.#pool.renew(), ...events }, connect);
    const readers = Math.max(3, options.connectionsMax - 2);
    this.#pool = new ReadPool(options, readers, async (asked) => {
      const client = await connect(asked);
      return this.#writer.checked(client);
    });
    this.#views = new Semaphore(Math.max(1, Math.floor(((readers - 1) * 2) / 3)));
  }

  get options(): PostgresOptions {
    return this.#options;
  }

  /** The schema as statements name it. */
  get schema(): string {
    return quoted(this.#options.place.schema);
  }

  get stores(): StoreNumbers {
    return this.#writer.stores;
  }

  /** True while no other process can have taken over. */
  get holds(): boolean {
    return this.#writer.holds;
  }

  get load(): ReadPool['load'] {
    return this.#pool.load;
  }

  readonly ask: Ask = (statement, values) => this.#pool.ask(statement, values);

  /** For reads that a write waits for: they do not queue with other reads. */
  readonly askFirst: Ask = (statement, values) => this.#pool.ask(statement, values, 'write');

  /** @throws as `Writer.take` */
  async take(): Promise<'taken' | Holder> {
    const taken = await this.#writer.take();
    if (taken === 'taken') this.#reap();
    return taken;
  }

  /** @throws as `Writer.announce` */
  announce(address: string): Promise<void> {
    return this.#writer.announce(address);
  }

  /** Tells, for status, that this process waits for the lease. */
  async standBy(address: string): Promise<void> {
    const text =
      `INSERT INTO ${this.schema}.standby (holder, address, seen) VALUES ($1, $2, clock_timestamp()) ` +
      'ON CONFLICT (holder) DO UPDATE SET address = excluded.address, seen = excluded.seen';
    await this.ask({ name: 'stand by', text }, [this.#writer.self, address]);
    const forget = `DELETE FROM ${this.schema}.standby WHERE seen < clock_timestamp() - $1::int4 * interval '1 millisecond'`;
    await this.ask({ name: 'forget standbys', text: forget }, [10 * standbyMsMax]);
  }

  /** The standbys that were seen lately, as `name (host:port)`. */
  async standbys(): Promise<readonly string[]> {
    const text =
      `SELECT holder, address FROM ${this.schema}.standby ` +
      "WHERE seen > clock_timestamp() - $1::int4 * interval '1 millisecond' AND holder <> $2 ORDER BY holder";
    const rows = await this.ask({ name: 'standbys', text }, [standbyMsMax, this.#writer.self]);
    return rows.map(([holder, address]) => `${nameOf(textOf(holder))} (${textOf(address)})`);
  }

  takeAgain(): Promise<void> {
    return this.#writer.takeAgain();
  }

  /** @param takesAway the commit removes records without a trace */
  async commit(store: number, slices: () => Generator<Slice, void>, takesAway: boolean): Promise<void> {
    await this.#viewsTaken();
    const commit = () => this.#writer.commit(store, slices);
    await (takesAway ? this.#takeAway(commit) : commit());
  }

  /** Changes which numbers of `store` are in use; dropped stores are deleted meanwhile. */
  async change(change: (stores: StoreNumbers) => StoreNumbers): Promise<void> {
    await this.#viewsTaken();
    await this.#takeAway(() => this.#writer.change(change));
    this.#reap();
  }

  /** Asks for a view of what is committed now. */
  view(): View {
    const ending = new AbortController();
    let taken = () => {};
    const pending: Pending = {
      taken: new Promise<void>((resolve) => {
        taken = resolve;
      }),
      isWaiting: true,
      isOvertaken: this.#takingAway > 0,
    };
    this.#pending.add(pending);
    const done = () => {
      this.#pending.delete(pending);
      taken();
    };
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    let over: Promise<void> = Promise.resolve();
    const begun = new Promise<Ask>((resolve, reject) => {
      over = this.#hold(ending.signal, pending, (ask) => {
        done();
        resolve(ask);
        return ended;
      }).catch((error: unknown) => {
        done();
        reject(sqlError(error, this.#options.place.shown));
      });
    });
    return {
      begun,
      isOvertaken: () => pending.isOvertaken,
      end: () => {
        ending.abort(new Error('the view was closed'));
        end();
        return over;
      },
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    await this.#pool.close();
    await Promise.all([this.#reaping, this.#writer.close()]);
  }

  /** Holds a connection in one transaction for as long as `use` says. */
  async #hold(signal: AbortSignal, pending: Pending, use: (ask: Ask) => Promise<void>): Promise<void> {
    // At once if a connection is free: then the view is taken before anything that comes later.
    if (!this.#views.tryAcquire()) await this.#views.acquire(signal);
    pending.isWaiting = false;
    try {
      await this.#pool.use('view', async (client) => {
        try {
          await client.query({ text: 'BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1' });
          await use(async (statement, values) => {
            try {
              return await client.query(statement, values);
            } catch (error) {
              throw sqlError(error, this.#options.place.shown);
            }
          });
        } finally {
          await client.query({ text: 'COMMIT' }).catch(() => client.destroy());
        }
      });
    } finally {
      this.#views.release();
    }
  }

  async #viewsTaken(): Promise<void> {
    const views = [...this.#pending].filter(({ isWaiting }) => !isWaiting);
    await Promise.all(views.map(({ taken }) => taken));
  }

  async #takeAway(commit: () => Promise<void>): Promise<void> {
    for (const pending of this.#pending) pending.isOvertaken = true;
    this.#takingAway++;
    try {
      await commit();
    } finally {
      this.#takingAway--;
    }
  }

  /** Deletes dropped stores, slice by slice. No process uses them, so this needs no fence, and may be broken off. */
  #reap(): void {
    this.#reaping = this.#reaping.then(async () => {
      for (const store of this.stores.dropped) {
        const isGone = await this.#reapOne(store).catch(() => false); // The next opening goes on with it.
        if (!isGone) return;
        await this.#writer.change((stores) => reaped(stores, store)).catch(() => {});
      }
    });
  }

  async #reapOne(store: number): Promise<boolean> {
    const tables = [
      ['chunk', 'namespace, key, stamp, part', reapedChunksMax],
      ['record', 'namespace, key', reapedRowsMax],
      ['meta', 'name', reapedRowsMax],
    ] as const;
    for (const [table, key, rowsMax] of tables) {
      const name = `${this.schema}.${table}`;
      const some = `SELECT store, ${key} FROM ${name} WHERE store = $1 LIMIT ${rowsMax}`;
      const text = `WITH gone AS (DELETE FROM ${name} WHERE (store, ${key}) IN (${some}) RETURNING 1) SELECT count(*) FROM gone`;
      for (let rows: number = rowsMax; rows === rowsMax; ) {
        if (this.#ending.signal.aborted) return false;
        rows = numberOf((await this.ask({ name: `reap ${table}`, text }, [store]))[0]?.[0]);
      }
    }
    return true;
  }
}
