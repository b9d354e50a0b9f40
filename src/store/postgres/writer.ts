import { isMeridianError, type MeridianError } from '../../model/errors.ts';
import { holds } from '../../model/rules.ts';
import { sleep } from '../../runtime/clock.ts';
import { InTurn } from '../../runtime/in-turn.ts';
import { Lifecycle } from '../../runtime/lifecycle.ts';
import type { Fence, Slice } from './commit-statement.ts';
import { type Counted, writeSlices } from './fenced-commit.ts';
import { failureOf, leaseLost, sqlError, tailLost, unsettled } from './postgres-errors.ts';
import type { PostgresOptions } from './postgres-options.ts';
import { quoted } from './postgres-url.ts';
import { checkTables } from './schema.ts';
import { SqlClient, type SqlClientOptions, type SqlSession } from './sql-client.ts';
import { firstStores, type StoreNumbers } from './store-numbers.ts';
import {
  announceRow,
  changeRow,
  type Holder,
  holderOf,
  readRow,
  releaseRow,
  renewRow,
  type TakenRow,
  takeRow,
  type WriterRow,
} from './writer-row.ts';

/*
 * The one process that may write. The row of `writer` holds a lease, 16 random bytes drawn at each take-over, and
 * counts commits. Each commit compares both and counts, in the transaction that makes its changes; so what another
 * process committed, or the database lost, cannot go unnoticed. The lease's end is a courtesy: it only keeps a standby
 * from taking over too early. The lease is no number: after a fail-over that lost commits, one could be issued twice.
 *
 * A commit whose answer is lost. This process takes the lease over from itself. That statement waits for the row, which
 * the commit may still hold, so the count that it reads is final:
 *
 *     before     lease x, commits 7
 *     commit     expects (x, 7); the connection breaks before the answer
 *     take over  waits, then lease y, commits 8: it was committed. Or commits 7: it never will be, as it expects x
 *     again      expects (y, 7)
 *
 * While it is unknown what became of a commit, no other is begun: the count that the next one expects would be a guess,
 * and a count that is one higher would tell nothing. `takeAgain` reads it; what is in memory is then read again too.
 *
 * A count below what was acknowledged: the database went back, by a fail-over to a replica that lagged or by a restored
 * backup. That is reported loudly, and this process must not go on with what it has in memory: it is started anew, and
 * the member begins a new log, whose seals bring followers right.
 */

/** Milliseconds between tries to reach a database that does not answer. */
const retryMs = 100;
/** Tries of a commit that the database breaks off, each after a longer rest. */
const abortedTriesMax = 6;
/** The share of the lease's time that this process does not rely on: clock rates differ, and answers take time. */
const marginShare = 0.2;
/** Milliseconds that giving the lease back may take. If it takes longer, the lease runs out by itself. */
const closeMsMax = 2_000;

/** Reasons why nothing can be asked of the database until somebody acts. */
const final = /^(lease-lost|store-not-created|store-format-unknown|store-login|store-rights)$/;

export interface WriterEvents {
  /** Another process holds the lease, or the database went back: what is in memory here no longer counts. */
  readonly lost: (why: MeridianError) => void;
  /** There is a new connection, which may lead to another server: older connections may answer out of date. */
  readonly connected?: () => void;
}

/** Runs a transaction that counts one commit. */
type Run = (client: SqlSession, fence: Fence) => Promise<Counted>;

export class Writer {
  readonly #options: PostgresOptions;
  readonly #connect: (options: SqlClientOptions) => Promise<SqlSession>;
  readonly #lifecycle: Lifecycle;
  readonly #events: WriterEvents;
  readonly #self: string;
  readonly #schema: string;
  /** The address of this process for others, written at each take-over. */
  #address: string;
  #client: SqlSession | undefined;
  /** Renews the lease during a commit that takes long. */
  #beside: SqlSession | undefined;
  #lease: Buffer | undefined;
  /** The count of commits, up to the last acknowledged one. */
  #commits = 0;
  /** True while it is unknown whether one more commit was made. */
  #isUnsettled = false;
  #stores: StoreNumbers = firstStores;
  /** Monotonic time until which no other process can have taken over. */
  #validUntilMs = 0;
  /** Drawn for a take-over that is not answered yet: it may have happened. */
  #drawn: Buffer | undefined;
  /** The row of another holder, and since when it has not changed. */
  #watched: { readonly mark: string; readonly sinceMs: number } | undefined;
  readonly #turns = new InTurn();
  #queued = 0;
  #keepsUp = false;
  #isChecked = false;
  /** Why this process must not go on with what it has in memory: another has the lease, or the database went back. */
  #gone: MeridianError | undefined;
  #closed = false;

  constructor(
    options: PostgresOptions,
    events: WriterEvents,
    connect: (options: SqlClientOptions) => Promise<SqlSession> = SqlClient.connect,
  ) {
    this.#options = options;
    this.#connect = connect;
    this.#self = `${options.holder} ${options.random.hex(8)}`;
    this.#schema = quoted(options.place.schema);
    this.#address = options.address;
    this.#events = events;
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

  /** True while no other process can have taken over, by this process's own clock. */
  get holds(): boolean {
    if (!holds('engine: who may have lost the lease answers nothing')) return this.#lease !== undefined;
    if (this.#gone !== undefined) return false;
    return this.#lease !== undefined && this.#options.clock.monotonicMs() < this.#validUntilMs;
  }

  /**
   * Takes the lease if it is free: given back; or ended, and unchanged for as long as a lease lasts while this process
   * looked; or unchanged for as long as any lease lasts. Otherwise says who has it.
   * @throws UNAVAILABLE, FAILED_PRECONDITION (no tables), UNAUTHENTICATED, PERMISSION_DENIED
   */
  take(): Promise<'taken' | Holder> {
    return this.#queue(async () => {
      const row = this.#lease === undefined ? await this.#row() : undefined;
      if (row !== undefined && !this.#isFree(row)) return holderOf(row);
      const taken = await this.#take(row?.mark);
      if ('holder' in taken) return taken;
      this.#adopt(taken);
      if (!this.#keepsUp) this.#keepUp();
      return 'taken';
    });
  }

  /** From now on others are told this address, also by a take-over from itself. @throws UNAVAILABLE */
  announce(address: string): Promise<void> {
    this.#address = address;
    return this.#queue(() =>
      this.#asked((client) => announceRow(client, this.#schema, { holder: this.#self, address })),
    );
  }

  /**
   * After a failed commit: takes the lease from itself, and reads the count. If the database is away, call it again.
   * @throws UNAVAILABLE (`lease-lost`: another process has it; `store-tail-lost`: acknowledged commits are missing)
   */
  takeAgain(): Promise<void> {
    return this.#queue(async () => {
      if (this.#gone !== undefined) throw this.#gone;
      const taken = await this.#take().catch((error: unknown) => {
        throw isMeridianError(error, 'RESOURCE_EXHAUSTED') ? unsettled(this.#options.place.shown, error) : error;
      });
      if ('holder' in taken) throw this.#loses(taken);
      if (taken.commits < this.#commits) throw this.#differs(this.#commits, taken.commits);
      this.#adopt(taken);
    });
  }

  /**
   * Commits slices in one transaction.
   * @throws UNAVAILABLE (`lease-lost`, `store-tail-lost`; `store-unsettled`: until `takeAgain`), RESOURCE_EXHAUSTED: not begun
   */
  commit(store: number, slices: () => Generator<Slice, void>): Promise<void> {
    return this.#queue(() =>
      this.#settle((client, fence) =>
        writeSlices(client, { schema: this.#schema, clock: this.#options.clock, fence, store, slices }),
      ),
    );
  }

  /** Changes which numbers of `store` are in use, after all changes before it, as one commit. @throws as `commit` */
  change(change: (stores: StoreNumbers) => StoreNumbers): Promise<void> {
    return this.#queue(async () => {
      const next = change(this.#stores);
      await this.#settle(async (client, fence) => {
        const sentMs = this.#options.clock.monotonicMs();
        return { counted: await changeRow(client, this.#schema, { fence, next }), sentMs };
      });
      this.#stores = next;
    });
  }

  /**
   * A new connection may lead to another server: a replica that lags may have taken over, which the next commit or
   * renewal would only tell later. What it lost would be answered as never written, so it is not read from.
   * @throws UNAVAILABLE (`store-unsettled`) if the row is another process's, or counts less than was acknowledged
   */
  async checked(client: SqlSession): Promise<SqlSession> {
    const [commits, ...leases] = [this.#commits, this.#lease, this.#drawn];
    if (this.#lease === undefined) return client;
    try {
      const row = await readRow(client, this.#schema);
      const isOwn = [...leases, this.#lease, this.#drawn].some((lease) => lease?.toString('hex') === row.lease);
      if (isOwn && row.commits >= commits) return client;
    } catch (error) {
      client.destroy();
      throw error;
    }
    client.destroy();
    // The writer finds out at once what that means.
    if (this.#queued === 0) void this.#queue(() => this.#renew()).catch(() => {});
    throw unsettled(this.#options.place.shown, undefined);
  }

  /** Gives the lease back, and ends the connections. Idempotent. */
  async close(): Promise<void> {
    const late = this.#options.clock.timer(closeMsMax, () => {
      this.#closed = true;
      this.#drop();
      this.#beside?.destroy();
    });
    await this.#lifecycle.stop();
    await this.#queue(async () => {
      const lease = this.#lease;
      // From its sending on another process may take over, whenever the answer comes.
      this.#lease = undefined;
      // If that fails, the lease runs out by itself.
      if (lease !== undefined && this.#client !== undefined)
        await releaseRow(this.#client, this.#schema, lease).catch(() => {});
      this.#closed = true;
      await Promise.all([this.#client?.end(), this.#beside?.end()]);
    });
    late.cancel();
  }

  /** Runs a fenced transaction until its outcome is known. If it throws, it was not made, or nothing more is begun. */
  async #settle(run: Run): Promise<void> {
    const { clock, commitMsMax, place, observer } = this.#options;
    const untilMs = clock.monotonicMs() + commitMsMax;
    if (this.#gone !== undefined) throw this.#gone;
    if (this.#lease === undefined) throw leaseLost('another process');
    if (this.#isUnsettled) throw unsettled(place.shown, undefined);
    const before = this.#commits;
    this.#isUnsettled = true;
    for (let tries = 1; ; tries++) {
      const tried = await this.#try(run, before);
      if (tried === 'counted') return this.#settled(before + 1);
      if (tried === 'fenced') throw await this.#fenced(before);
      const { error } = tried;
      const failure = failureOf(error);
      const isFinal = isMeridianError(error) && final.test(error.details.reason);
      const isTriedOut = tries >= abortedTriesMax || clock.monotonicMs() >= untilMs;
      if (isFinal || failure === 'full' || failure === 'refused' || (failure === 'aborted' && isTriedOut)) {
        this.#settled(before);
        throw sqlError(error, place.shown);
      }
      observer.commitRetried(error);
      if (failure === 'unknown' && (await this.#outcome(before, untilMs, error)) === 'committed')
        return this.#settled(before + 1);
      await this.#rest(retryMs * Math.min(tries, 10));
    }
  }

  async #try(run: Run, commits: number): Promise<'counted' | 'fenced' | { readonly error: unknown }> {
    const lease = this.#lease;
    if (lease === undefined) return { error: leaseLost('another process') };
    try {
      const { counted, sentMs } = await run(await this.#connected(), {
        lease,
        commits,
        leaseMs: this.#options.leaseMs,
      });
      if (counted !== 1) return 'fenced';
      this.#extend(sentMs);
      return 'counted';
    } catch (error) {
      return { error };
    }
  }

  #settled(commits: number): void {
    this.#commits = commits;
    this.#isUnsettled = false;
  }

  /** What became of a commit that was not answered. If it never will be made, it may be tried again. */
  async #outcome(before: number, untilMs: number, cause: unknown): Promise<'committed' | 'undone'> {
    const { clock, place } = this.#options;
    this.#drop();
    for (let why = cause; ; ) {
      // A look-up that fails tells nothing of the commit, so it is no reason to say that the commit was refused.
      if (clock.monotonicMs() >= untilMs) throw unsettled(place.shown, why);
      const taken = await this.#take().catch((error: unknown) => {
        why = error;
        return undefined;
      });
      if (taken === undefined) await this.#rest(retryMs);
      else if ('holder' in taken) throw this.#loses(taken);
      else if (taken.commits === before + 1 || !holds('engine: the count tells what became of a commit'))
        return 'committed';
      else if (taken.commits === before) return 'undone';
      else throw this.#differs(before, taken.commits);
    }
  }

  async #rest(ms: number): Promise<void> {
    await sleep(this.#options.clock, ms, this.#lifecycle.signal).catch((why: unknown) => {
      throw unsettled(this.#options.place.shown, why);
    });
  }

  /** Why a commit counted nowhere, by the row. In any case it was not made. */
  async #fenced(before: number): Promise<MeridianError> {
    const row = await this.#row();
    if (row.lease !== this.#lease?.toString('hex')) return this.#loses(holderOf(row));
    return this.#differs(before, row.commits);
  }

  /**
   * The row has this process's lease, and a count that this process did not leave there. If commits are missing,
   * nothing in memory here counts any more, and this process answers nothing more until it is started anew.
   */
  #differs(expected: number, seen: number): MeridianError {
    const { place, observer } = this.#options;
    if (seen >= expected) return unsettled(place.shown, undefined);
    if (this.#gone !== undefined) return this.#gone;
    const why = tailLost(place.shown, expected - seen);
    this.#gone = why;
    observer.tailLost(expected - seen);
    this.#events.lost(why);
    return why;
  }

  /**
   * A process that has the lease takes it from itself alone: a commit of another one in between would go unnoticed. A
   * process without it takes it if the row still has the mark of a free one.
   */
  async #take(mark = ''): Promise<TakenRow | Holder> {
    const { leaseMs, clock, random, observer } = this.#options;
    const lease = this.#drawn ?? Buffer.from(random.hex(16), 'hex');
    this.#drawn = lease;
    const from = this.#lease;
    const expected = from === undefined ? { mark } : { from };
    let sentMs = 0;
    const taken = await this.#asked((client) => {
      sentMs = clock.monotonicMs();
      return takeRow(client, this.#schema, { lease, holder: this.#self, address: this.#address, leaseMs, expected });
    });
    if (taken === undefined) return holderOf(await this.#row());
    this.#drawn = undefined;
    this.#lease = lease;
    this.#extend(sentMs);
    if (from === undefined) {
      this.#events.connected?.();
      observer.leaseTaken(this.#options.holder);
    }
    return taken;
  }

  /** From now on the count and the stores are those of the row. */
  #adopt({ commits, stores }: TakenRow): void {
    this.#settled(commits);
    this.#stores = stores;
  }

  #isFree({ holder, leftMs, mark }: WriterRow): boolean {
    if (holder === '' || holder === this.#self) return true;
    const { clock, leaseMs, leaseMsMax } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#watched?.mark !== mark) this.#watched = { mark, sinceMs: nowMs };
    const unchangedMs = nowMs - this.#watched.sinceMs;
    // If the clock of the database went back, a lease that nobody renews would last for ever.
    return unchangedMs >= leaseMs && (leftMs <= 0 || unchangedMs >= leaseMsMax);
  }

  #row(): Promise<WriterRow> {
    return this.#asked((client) => readRow(client, this.#schema));
  }

  async #asked<T>(ask: (client: SqlSession) => Promise<T>): Promise<T> {
    const client = await this.#connected();
    try {
      return await ask(client);
    } catch (error) {
      if (failureOf(error) === 'unknown') this.#drop();
      throw sqlError(error, this.#options.place.shown);
    }
  }

  async #connected(): Promise<SqlSession> {
    if (this.#client !== undefined && !this.#client.isEnded) return this.#client;
    const client = await this.#connection();
    this.#client = client;
    this.#events.connected?.();
    return client;
  }

  async #connection(): Promise<SqlSession> {
    const { place, leaseMs } = this.#options;
    if (this.#closed) throw leaseLost('nobody');
    let client: SqlSession | undefined;
    try {
      client = await this.#connect({ ...this.#options, idleTransactionMsMax: leaseMs });
      if (!this.#isChecked) await checkTables(client, place);
      this.#isChecked = true;
      if (!this.#closed) return client;
      client.destroy();
    } catch (error) {
      client?.destroy();
      throw sqlError(error, place.shown);
    }
    throw leaseLost('nobody');
  }

  #drop(): void {
    this.#client?.destroy();
    this.#client = undefined;
  }

  #loses(holder: Holder): MeridianError {
    const why = leaseLost(holder.holder === '' ? 'nobody' : holder.holder);
    if (this.#lease === undefined) return why;
    this.#gone = why;
    this.#lease = undefined;
    this.#validUntilMs = 0;
    this.#options.observer.leaseLost(holder.holder);
    this.#events.lost(why);
    return why;
  }

  #extend(sentMs: number): void {
    this.#validUntilMs = Math.max(this.#validUntilMs, sentMs + this.#options.leaseMs * (1 - marginShare));
  }

  /** Renews the lease while there are no commits, and during one that takes long. */
  #keepUp(): void {
    this.#keepsUp = true;
    const { clock, leaseMs } = this.#options;
    this.#lifecycle.run('lease', async (signal) => {
      for (;;) {
        await sleep(clock, leaseMs / 4, signal);
        const isRenewed = this.#validUntilMs - clock.monotonicMs() > leaseMs / 2;
        // If the database is away, the next round tries again; meanwhile `holds` tells the truth.
        if (this.#queued === 0) await this.#queue(() => this.#renew()).catch(() => {});
        else if (!isRenewed) await this.#renewBeside().catch(() => {});
      }
    });
  }

  async #renew(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    const lease = this.#lease;
    if (lease === undefined) return;
    if (this.#drawn !== undefined || this.#isUnsettled) {
      // It is unknown which lease or count the row has. `takeAgain` reads the count, before all else is read.
      const taken = await this.#take();
      if ('holder' in taken) this.#loses(taken);
      return;
    }
    let sentMs = 0;
    const commits = await this.#asked((client) => {
      sentMs = clock.monotonicMs();
      return renewRow(client, this.#schema, { lease, leaseMs });
    });
    if (commits === undefined) this.#loses(holderOf(await this.#row()));
    else if (commits === this.#commits) this.#extend(sentMs);
    else {
      const why = this.#differs(this.#commits, commits);
      if (why !== this.#gone) this.#events.lost(why);
    }
  }

  /** On a connection of its own, as the other one is busy. It judges nothing: that is left to the commit. */
  async #renewBeside(): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    const { clock, leaseMs } = this.#options;
    if (this.#beside === undefined || this.#beside.isEnded) this.#beside = await this.#connection();
    const client = this.#beside;
    const sentMs = clock.monotonicMs();
    try {
      const commits = await renewRow(client, this.#schema, { lease, leaseMs });
      if (commits !== undefined && this.#lease === lease) this.#extend(sentMs);
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  #queue<T>(run: () => Promise<T>): Promise<T> {
    this.#queued++;
    return this.#turns.run(() => run().finally(() => this.#queued--));
  }
}
