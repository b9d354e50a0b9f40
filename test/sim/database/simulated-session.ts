import type { Timer } from '../../../src/runtime/clock.ts';
import { sqlCodeOf } from '../../../src/store/postgres/postgres-errors.ts';
import type {
  SqlClientOptions,
  SqlRow,
  SqlSession,
  SqlValue,
  Statement,
} from '../../../src/store/postgres/sql-client.ts';
import { databaseError } from '../../support/database-error.ts';
import type { DatabaseLine } from './database-line.ts';
import type { Answer, Fate, ServerSession, SimulatedDatabase } from './simulated-database.ts';

/** Milliseconds after the server's own deadline until a client gives up. */
const graceMs = 20;
/** Milliseconds by which a statement whose client has given up comes late, at the most. */
const lateMsMax = 300;

/** The process that opens connections. */
export interface Client {
  readonly database: SimulatedDatabase;
  readonly line: DatabaseLine;
  /** Unique to one run of a process. */
  readonly owner: string;
  /** True once the process is gone: nobody hears of anything. */
  readonly isGone: () => boolean;
}

type Answering = (answered: Answer | Error) => void;

/** One connection of a process to the simulated database: the simulator's form of `SqlClient`. */
export class SimulatedSession implements SqlSession {
  readonly #client: Client;
  readonly #options: SqlClientOptions;
  readonly #server: ServerSession;
  #last: Promise<unknown> = Promise.resolve();
  #fails: (error: Error) => void = () => {};
  warnings = 0;
  isEnded = false;

  private constructor(client: Client, options: SqlClientOptions) {
    this.#client = client;
    this.#options = options;
    const { statementMsMax, idleTransactionMsMax } = options;
    this.#server = {
      owner: client.owner,
      statementMsMax,
      idleTransactionMsMax,
      isEnded: false,
      transaction: undefined,
      ended: (why) => client.line.carry('back', () => this.#lost(why)),
    };
    client.line.onReset(() => this.#lost(gone()));
  }

  static async connect(client: Client, options: SqlClientOptions): Promise<SimulatedSession> {
    const { line, database, isGone } = client;
    const session = new SimulatedSession(client, options);
    await new Promise<void>((resolve, reject) => {
      const late = options.clock.timer(options.connectMsMax, () => {
        session.isEnded = true;
        reject(new Error('timeout expired'));
      });
      line.carry('there', () => {
        const refused = line.refuses || database.isAway || isGone();
        if (!refused) database.open(session.#server);
        line.carry('back', () => {
          late.cancel();
          if (refused) reject(new Error('connect ECONNREFUSED'));
          else resolve();
        });
      });
    });
    return session;
  }

  query(statement: Statement, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    const asked = this.#last.then(() => this.#query(statement, values));
    this.#last = asked.catch(() => {});
    return asked;
  }

  async end(): Promise<void> {
    this.destroy();
  }

  /** The server hears of it, at some time; what was sent before comes before. */
  destroy(): void {
    if (this.isEnded) return;
    this.#lost(gone());
  }

  #query(statement: Statement, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    const { clock, statementMsMax, observer } = this.#options;
    if (this.isEnded) return Promise.reject(gone());
    return new Promise<readonly SqlRow[]>((resolve, reject) => {
      let timer: Timer | undefined;
      const settle = () => {
        timer?.cancel();
        this.#fails = () => {};
      };
      this.#fails = (error) => {
        settle();
        observer.statement('failed', 0);
        reject(error);
      };
      timer = clock.timer(statementMsMax + graceMs, () => this.#lost(new Error('the database did not answer')));
      this.#send(statement, values, (answered) => {
        settle();
        if (answered instanceof Error) return reject(answered);
        resolve(answered.rows);
        if (answered.commits !== undefined) this.#client.database.events.heard(answered.commits);
      });
    });
  }

  #send(statement: Statement, values: readonly SqlValue[], answer: Answering): void {
    const { database, line } = this.#client;
    line.carry('there', () => {
      const fate = statement.text.includes('commits = commits + 1') ? database.fates.shift() : undefined;
      if (fate === 'before') return database.close(this.#server);
      if (fate === 'aborted') return line.carry('back', () => this.#answered(answer, databaseError('40001')));
      if (fate !== 'late') return this.#execute(statement, values, { fate, answer });
      this.#lost(gone(), false);
      line.time.at(line.random.fraction() * lateMsMax, () => this.#execute(statement, values, { fate, answer }));
    });
  }

  #execute(
    statement: Statement,
    values: readonly SqlValue[],
    { fate, answer }: { fate: Fate | undefined; answer: Answering },
  ): void {
    const { database, line } = this.#client;
    if (this.#server.isEnded) return;
    const done: Answering = (answered) => {
      if (fate === 'after' || fate === 'late') return database.close(this.#server);
      line.carry('back', () => {
        if (fate === 'warned') this.warnings++;
        // One warning in a transaction is one of its commit.
        const isSure = this.warnings === 0;
        this.#answered(answer, isSure || answered instanceof Error ? answered : { rows: answered.rows });
      });
    };
    database.execute(this.#server, statement, values).then(done, (error: Error) => {
      if (sqlCodeOf(error) === undefined && !this.#server.isEnded) database.events.defect(error);
      done(error);
    });
  }

  #answered(answer: Answering, answered: Answer | Error): void {
    if (!this.isEnded && !this.#client.isGone()) answer(answered);
  }

  #lost(why: Error, tellsServer = true): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const { database, line, isGone } = this.#client;
    if (tellsServer) line.carry('there', () => database.close(this.#server));
    if (!isGone()) this.#fails(why);
  }
}

function gone(): Error {
  return new Error('Connection terminated unexpectedly');
}
