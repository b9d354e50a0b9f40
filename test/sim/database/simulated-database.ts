import type { SqlRow, SqlValue, Statement } from '../../../src/store/postgres/sql-client.ts';
import { databaseError } from '../../support/database-error.ts';
import type { VirtualTime } from '../../support/virtual-time.ts';
import { meaningOf } from './statements.ts';
import { emptyTables, type Tables } from './tables.ts';

/**
 * What befalls the next statement that counts a commit: its connection breaks before it arrives, or after it was made; or its
 * client takes the connection for lost, and it arrives late all the same; or the database breaks it off, or answers with a warning.
 */
export type Fate = 'before' | 'after' | 'late' | 'aborted' | 'warned';

/** Commits that a fail-over may lose, at the most. */
const rememberedMax = 12;

/** One connection, as the server has it. */
export interface ServerSession {
  /** Names the process that opened it. */
  readonly owner: string;
  readonly statementMsMax: number;
  readonly idleTransactionMsMax: number;
  /** Told when the server ends it. */
  readonly ended: (why: Error) => void;
  isEnded: boolean;
  /** Undefined while no transaction is open. */
  transaction: Transaction | undefined;
}

interface Transaction {
  readonly changes: Array<(tables: Tables) => Tables>;
  /** What a view sees; undefined where each statement sees what is committed. */
  readonly view: Tables | undefined;
  counts: boolean;
  /** Rises with each statement, so that a deadline knows whether the transaction stands still. */
  statements: number;
}

export interface Answer {
  readonly rows: readonly SqlRow[];
  /** Whoever is answered knows that so many commits were made. */
  readonly commits?: number;
}

/** Told of what the judges ask for. */
export interface DatabaseEvents {
  /** A commit was made, by this process; before whoever asked for it learns of it. */
  readonly committed: (before: Tables, after: Tables, owner: string) => void;
  /** A process is answered what says that so many commits were made. */
  readonly heard: (commits: number) => void;
  readonly taken: (owner: string, lease: string) => void;
  /** So many views are open. */
  readonly views: (open: number) => void;
  /** The simulation of the database is wrong. */
  readonly defect: (error: unknown) => void;
}

/** The server: tables, transactions, and locks of rows, each held until its transaction ends. */
export class SimulatedDatabase {
  readonly time: VirtualTime;
  readonly events: DatabaseEvents;
  #tables = emptyTables;
  readonly #earlier: Tables[] = [];
  readonly #sessions = new Set<ServerSession>();
  readonly #locks = new Map<string, ServerSession>();
  #unlocked: Array<() => void> = [];
  /** Milliseconds by which its clock is off. */
  skewMs = 0;
  isAway = false;
  readonly fates: Fate[] = [];

  constructor(time: VirtualTime, events: DatabaseEvents) {
    this.time = time;
    this.events = events;
  }

  get tables(): Tables {
    return this.#tables;
  }

  /** What it held before the last commits, newest last. */
  get earlier(): readonly Tables[] {
    return this.#earlier;
  }

  open(session: ServerSession): void {
    this.#sessions.add(session);
  }

  /** The session's transaction is undone. */
  close(session: ServerSession, why = new Error('Connection terminated unexpectedly')): void {
    if (session.isEnded) return;
    session.isEnded = true;
    this.#sessions.delete(session);
    this.#endTransaction(session);
    session.ended(why);
  }

  /** All connections end, as where it crashes, or another server takes its place. What is committed stays. */
  crash(): void {
    for (const session of [...this.#sessions]) this.close(session);
  }

  /** The process is down, or another server takes this one's place: it holds something else from now on. */
  replace(tables: Tables): void {
    this.crash();
    const kept = this.#earlier.findIndex(({ writer }) => writer.commits >= tables.writer.commits);
    if (kept >= 0) this.#earlier.splice(kept);
    this.#tables = tables;
  }

  /** @throws what the database says of it */
  async execute(session: ServerSession, statement: Statement, values: readonly SqlValue[]): Promise<Answer> {
    const { text } = statement;
    if (text.startsWith('BEGIN')) return this.#begin(session, text);
    if (text === 'COMMIT' || text === 'ROLLBACK') return this.#end(session, text);
    const { transaction } = session;
    if (transaction === undefined) return this.#run(session, statement, values);
    transaction.statements++;
    try {
      return await this.#run(session, statement, values);
    } finally {
      this.#watch(session, transaction);
    }
  }

  async #run(session: ServerSession, statement: Statement, values: readonly SqlValue[]): Promise<Answer> {
    const { transaction } = session;
    const { locks } = meaningOf(statement, values, this.#nowMs);
    await this.#unlock(session, locks);
    if (session.isEnded) throw new Error('Connection terminated unexpectedly');
    const { rows, change, counts } = meaningOf(statement, values, this.#nowMs).run(transaction?.view ?? this.#tables);
    if (change === undefined) return { rows };
    if (transaction === undefined) this.#commit(session, [change], counts === true);
    else {
      for (const lock of locks) this.#locks.set(lock, session);
      transaction.changes.push(change);
      transaction.counts ||= counts === true;
    }
    const takes = statement.text.includes('SET lease = $1');
    if (takes) this.events.taken(session.owner, this.#tables.writer.lease);
    const tellsCommits = takes || (counts === true && transaction === undefined);
    return { rows, ...(tellsCommits ? { commits: this.#tables.writer.commits } : {}) };
  }

  get #viewsOpen(): number {
    return [...this.#sessions].filter(({ transaction }) => transaction?.view !== undefined).length;
  }

  get #nowMs(): number {
    return this.time.nowMs + this.skewMs;
  }

  #begin(session: ServerSession, text: string): Answer {
    const view = text.includes('READ ONLY') ? this.#tables : undefined;
    const transaction: Transaction = { changes: [], view, counts: false, statements: 0 };
    session.transaction = transaction;
    this.events.views(this.#viewsOpen);
    this.#watch(session, transaction);
    return { rows: [] };
  }

  #end(session: ServerSession, text: string): Answer {
    const { transaction } = session;
    const isMade = text === 'COMMIT' && transaction !== undefined && transaction.changes.length > 0;
    if (isMade) this.#commit(session, transaction.changes, transaction.counts);
    this.#endTransaction(session);
    return { rows: [], ...(isMade && transaction.counts ? { commits: this.#tables.writer.commits } : {}) };
  }

  #endTransaction(session: ServerSession): void {
    session.transaction = undefined;
    this.events.views(this.#viewsOpen);
    for (const [lock, holder] of this.#locks) if (holder === session) this.#locks.delete(lock);
    for (const run of this.#unlocked.splice(0)) run();
  }

  /** A transaction that waits for its next statement for too long is undone, and its connection ended. */
  #watch(session: ServerSession, transaction: Transaction): void {
    const statements = ++transaction.statements;
    this.time.at(session.idleTransactionMsMax, () => {
      if (session.transaction === transaction && transaction.statements === statements)
        this.close(session, databaseError('25P03'));
    });
  }

  async #unlock(session: ServerSession, locks: readonly string[]): Promise<void> {
    const untilMs = this.time.nowMs + session.statementMsMax;
    const isLocked = () => locks.some((lock) => (this.#locks.get(lock) ?? session) !== session);
    while (isLocked()) {
      await new Promise<void>((resolve) => {
        this.#unlocked.push(resolve);
        this.time.at(untilMs - this.time.nowMs, resolve);
      });
      if (session.isEnded) return;
      if (isLocked() && this.time.nowMs >= untilMs) throw databaseError('57014');
    }
  }

  #commit(session: ServerSession, changes: ReadonlyArray<(tables: Tables) => Tables>, counts: boolean): void {
    const before = this.#tables;
    this.#tables = changes.reduce((tables, change) => change(tables), before);
    if (!counts) return;
    this.#earlier.push(before);
    if (this.#earlier.length > rememberedMax) this.#earlier.shift();
    this.events.committed(before, this.#tables, session.owner);
  }
}
