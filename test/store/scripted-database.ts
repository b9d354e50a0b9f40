import type { Random } from '../../src/runtime/random.ts';
import { emptySlice, type Slice } from '../../src/store/postgres/commit-statement.ts';
import { postgresDefaults } from '../../src/store/postgres/postgres-options.ts';
import type { SqlRow, SqlSession, SqlValue } from '../../src/store/postgres/sql-client.ts';
import { Writer } from '../../src/store/postgres/writer.ts';
import { VirtualClock, VirtualTime } from '../support/virtual-time.ts';

/** What happens to a statement: it fails before the server has it, or after the server did it, or it waits, or warns. */
export type Fate =
  | { readonly before: unknown }
  | { readonly after: unknown }
  | { readonly waitMs: number }
  | { readonly warns: true };

/** The row of the writer, as the server keeps it, and what befalls the statements that come to it. */
export class ScriptedDatabase {
  readonly time = new VirtualTime();
  row = { lease: '', commits: 0, holder: '', address: '', untilMs: 0, stores: '' };
  /** How far the server's clock is ahead. */
  clockMs = 0;
  isAway = false;
  /** Every statement that was asked, in order. */
  readonly asked: string[] = [];
  fate: (text: string) => Fate | undefined = () => undefined;

  readonly #sessions: SqlSession[] = [];

  constructor() {
    this.row.stores = '{"current":1,"aside":[],"dropped":[],"last":1}';
  }

  get nowMs(): number {
    return this.time.nowMs + this.clockMs;
  }

  /** Connections that are not ended. */
  get open(): number {
    return this.#sessions.filter(({ isEnded }) => !isEnded).length;
  }

  async connect(): Promise<SqlSession> {
    if (this.isAway) throw new Error('connect ECONNREFUSED');
    const session = new ScriptedSession(this);
    this.#sessions.push(session);
    return session;
  }
}

class ScriptedSession implements SqlSession {
  readonly #database: ScriptedDatabase;
  #open: Array<() => void> | undefined;
  warnings = 0;
  isEnded = false;

  constructor(database: ScriptedDatabase) {
    this.#database = database;
  }

  async query({ text }: { readonly text: string }, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    const database = this.#database;
    if (this.isEnded || database.isAway) throw new Error('Connection terminated unexpectedly');
    database.asked.push(text);
    const fate: Partial<Record<'before' | 'after', unknown>> & { waitMs?: number; warns?: true } =
      database.fate(text) ?? {};
    if ('before' in fate) throw fate.before;
    if (fate.waitMs !== undefined) await database.time.wait(fate.waitMs);
    const rows = this.#answer(text, values);
    if ('warns' in fate) this.warnings++;
    if ('after' in fate) throw fate.after;
    return rows;
  }

  async end(): Promise<void> {
    this.isEnded = true;
  }

  destroy(): void {
    this.isEnded = true;
  }

  #answer(text: string, values: readonly SqlValue[]): readonly SqlRow[] {
    const { row, nowMs } = this.#database;
    const hex = (value: SqlValue | undefined) => (value as Buffer).toString('hex');
    const mark = `${row.lease} ${row.commits} ${row.untilMs}`;
    if (text === 'BEGIN') this.#open = [];
    else if (text === 'COMMIT') for (const change of this.#open?.splice(0) ?? []) change();
    else if (text === 'ROLLBACK') this.#open = undefined;
    else if (/information_schema|\.about/.test(text)) return [['1']];
    else if (text.startsWith('SELECT encode(lease'))
      return [[row.lease, `${row.commits}`, row.holder, row.address, `${row.untilMs - nowMs}`, mark]];
    else if (text.includes('commits = commits + 1')) {
      const at = text.startsWith('WITH') ? 1 : 0;
      const isSo = row.lease === hex(values[at]) && row.commits === values[at + 1];
      const change = () => {
        row.commits++;
        if (values.length === at + 4 && at === 0) row.stores = String(values[3]);
        row.untilMs = nowMs + Number(values[at + 2]);
      };
      if (isSo && this.#open !== undefined) this.#open.push(change);
      else if (isSo) change();
      return at === 1 ? [[isSo ? '1' : '0']] : isSo ? [['1']] : [];
    } else if (text.includes('SET lease = $1')) {
      const expected = text.includes('lease = $5') ? row.lease === hex(values[4]) : values[4] === mark;
      if (row.lease !== hex(values[0]) && !expected) return [];
      const holder = { lease: hex(values[0]), holder: String(values[1]), address: String(values[2]) };
      Object.assign(row, holder, { untilMs: nowMs + Number(values[3]) });
      return [[`${row.commits}`, row.stores]];
    } else if (text.includes('SET until')) {
      if (row.lease !== hex(values[0])) return [];
      row.untilMs = nowMs + Number(values[1]);
      return [[`${row.commits}`]];
    } else if (text.includes('SET address') && row.holder === values[1]) row.address = String(values[0]);
    else if (text.includes("SET holder = ''") && row.lease === hex(values[0])) row.holder = '';
    return [];
  }
}

export const connectionLost = new Error('Connection terminated unexpectedly');

let drawn = 0;
const random: Random = {
  fraction: () => 0.5,
  hex: (bytes) => (++drawn).toString(16).padStart(bytes * 2, '0'),
};

export function writerOver(database: ScriptedDatabase, holder = 'iad') {
  const lost: string[] = [];
  const told: number[] = [];
  const observer = { ...postgresDefaults.observer, tailLost: (missing: number) => void told.push(missing) };
  const place = { connectionString: '', schema: 'meridian', shown: 'postgres://db' };
  const clock = new VirtualClock(database.time);
  const options = { ...postgresDefaults, observer, place, holder, clock, random };
  const writer = new Writer(options, { lost: (why) => lost.push(String(why.details.reason)) }, () =>
    database.connect(),
  );
  return { writer, lost, told, leaseMs: options.leaseMs };
}

/** One slice, or several. */
export function slices(count = 1): () => Generator<Slice, void> {
  return function* () {
    for (let n = 0; n < count; n++) {
      const slice = emptySlice();
      slice.meta.add([Buffer.from('n'), Buffer.from('1')], [1, 1]);
      yield slice;
    }
  };
}

/** Lets time pass until this is settled. */
export async function settled<T>(time: VirtualTime, promise: Promise<T>): Promise<T> {
  let isDone = false;
  const done = promise.finally(() => {
    isDone = true;
  });
  done.catch(() => {});
  for (let n = 0; !isDone && n < 10_000; n++) await time.runUntil(time.nowMs + 50);
  if (!isDone) throw new Error('nothing more happens');
  return done;
}
