import { isMeridianError } from '../../model/errors.ts';
import type { RecordKey } from '../../model/key.ts';
import type { Head, Record } from '../../model/record.ts';
import { InTurn } from '../../runtime/in-turn.ts';
import { KnownDamage } from '../integrity/known-damage.ts';
import type { CommitBatch, Damaged, OnDamaged, Snapshot, Store, StoreCondition } from '../store.ts';
import { closed, failed } from '../store-errors.ts';
import { slicesOf } from './commit-slices.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { sqlCodeOf } from './postgres-errors.ts';
import { PostgresSnapshot } from './postgres-snapshot.ts';
import { headColumns, parsedRow, readHeads, readRecord, type StoreRows } from './record-reader.ts';
import { kinds } from './schema.ts';
import { bytesOf, numberOf } from './sql-client.ts';
import { erased } from './store-numbers.ts';

/** Damaged records that an opening reads of, at the most. */
const damagedMax = 10_000;
/** The SQLSTATE of an engine that is not PostgreSQL. */
const undefinedFunction = '42883';

/** One of the stores in an origin's database. Commits run one after the other, in the order of the calls. */
export class PostgresStore implements Store {
  readonly #database: PostgresDatabase;
  #number: number;
  #damage = new KnownDamage();
  #state: 'open' | 'failed' | 'closed' = 'open';
  #cause: unknown;
  #refused = false;
  readonly #turns = new InTurn();
  readonly #snapshots = new Set<PostgresSnapshot>();

  private constructor(database: PostgresDatabase, number: number) {
    this.#database = database;
    this.#number = number;
  }

  /** Over a database whose lease this process has. */
  static async open(database: PostgresDatabase, number = database.stores.current): Promise<PostgresStore> {
    const store = new PostgresStore(database, number);
    await store.#loadDamage();
    return store;
  }

  async heads(keys: readonly RecordKey[], onDamaged?: OnDamaged): Promise<ReadonlyArray<Head | undefined>> {
    this.#check();
    const note = (found: Damaged) => {
      this.#damage.note(found);
      onDamaged?.(found);
    };
    return readHeads(this.#database.askFirst, this.#rows, keys, onDamaged === undefined ? undefined : note);
  }

  async read(key: RecordKey): Promise<Record | undefined> {
    this.#check();
    return this.#damage.noting(key, () => readRecord(this.#database.ask, this.#rows, key));
  }

  async meta(name: string): Promise<Uint8Array | undefined> {
    this.#check();
    const text = `SELECT value FROM ${this.#database.schema}.meta WHERE store = $1 AND name = $2`;
    const [row] = await this.#database.ask({ name: 'meta', text }, [this.#number, Buffer.from(name)]);
    return row === undefined ? undefined : bytesOf(row[0]);
  }

  async metaNames(): Promise<readonly string[]> {
    this.#check();
    const text = `SELECT name FROM ${this.#database.schema}.meta WHERE store = $1 ORDER BY name`;
    const rows = await this.#database.ask({ text }, [this.#number]);
    return rows.map(([name]) => bytesOf(name).toString());
  }

  commit(batch: CommitBatch): Promise<void> {
    return this.#change(async () => {
      const { puts, removals, discards = [], lost = [] } = batch;
      const isDamaged = (key: RecordKey) => this.#damage.holds(key);
      const takesAway = removals.length + discards.length + lost.length > 0;
      await this.#database.commit(this.#number, () => slicesOf(batch, isDamaged, this.#database.options), takesAway);
      this.#damage.forget(this.#damage.healedBy(batch));
      for (const { namespace, key, position } of lost) this.#damage.note({ namespace, key, position });
      if (puts.some(({ record }) => record.kind === 'live')) this.#refused = false;
    });
  }

  snapshot(): Snapshot {
    this.#check();
    const { clock, snapshotMsMax } = this.#database.options;
    const view = this.#database.view();
    const timer = clock.timer(snapshotMsMax, () => void snapshot.expire());
    const end = async () => {
      timer.cancel();
      this.#snapshots.delete(snapshot);
      this.#database.snapshots.delete(snapshot);
      await view.end();
    };
    const snapshot: PostgresSnapshot = new PostgresSnapshot({ ...view, end }, this.#rows, this.#damage);
    this.#snapshots.add(snapshot);
    this.#database.snapshots.add(snapshot);
    return snapshot;
  }

  reopen(): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#state === 'closed') throw closed();
      // As in any store that is opened again. A holder of a snapshot may wait for a commit, and what is read anew would
      // queue for a view behind all of them.
      for (const snapshot of [...this.#database.snapshots]) void snapshot.fail(failed(this.#cause));
      await this.#database.takeAgain();
      this.#number = this.#database.stores.current;
      await this.#loadDamage();
      this.#state = 'open';
    });
  }

  erase(): Promise<void> {
    return this.#change(async () => {
      await this.#database.change(erased);
      this.#number = this.#database.stores.current;
      this.#damage = new KnownDamage();
    });
  }

  /** The database gives room back by itself (autovacuum), or when its operator says so. */
  async reclaim(): Promise<void> {
    this.#check();
  }

  damaged(): readonly Damaged[] {
    return this.#damage.all();
  }

  condition(): StoreCondition {
    const { records: damagedRecords } = this.#damage;
    return { damagedRecords, absenceUncertain: false, full: this.#refused, acceptedLoss: 0 };
  }

  /** Of all tables and indexes of this origin, with what it put aside; 0 if the engine does not tell. */
  async approximateBytes(): Promise<number> {
    this.#check();
    const { schema } = this.#database;
    const tables = ['record', 'chunk', 'meta', 'writer'].map((name) => `pg_total_relation_size('${schema}.${name}')`);
    const text = `SELECT (${tables.join(' + ')})::int8, $1::int4`;
    try {
      return numberOf((await this.#database.ask({ name: 'bytes', text }, [0]))[0]?.[0]);
    } catch (error) {
      if (isMeridianError(error) && sqlCodeOf(error.cause) === undefinedFunction) return 0;
      throw error;
    }
  }

  /** The opener of the database closes it. */
  close(): Promise<void> {
    return this.#turns.run(async () => {
      this.#state = 'closed';
      for (const snapshot of [...this.#snapshots]) await snapshot.close();
    });
  }

  get #rows(): StoreRows {
    return { schema: this.#database.schema, store: this.#number };
  }

  async #loadDamage(): Promise<void> {
    const { schema } = this.#database;
    const text = `SELECT ${headColumns} FROM ${schema}.record WHERE store = $1 AND kind = $2::int2 AND ended IS NOT NULL LIMIT ${damagedMax}`;
    const damage = new KnownDamage();
    for (const row of await this.#database.ask({ text }, [this.#number, kinds.damaged])) {
      const parsed = parsedRow(row);
      damage.note('head' in parsed ? parsed.head : parsed);
    }
    this.#damage = damage;
  }

  #check(): void {
    if (this.#state === 'closed') throw closed();
    if (this.#state === 'failed') throw failed(this.#cause);
  }

  #change(run: () => Promise<void>): Promise<void> {
    return this.#turns.run(async () => {
      this.#check();
      try {
        await run();
      } catch (error) {
        if (isMeridianError(error, 'RESOURCE_EXHAUSTED')) this.#refused = true;
        else {
          this.#state = 'failed';
          this.#cause = error;
        }
        throw error;
      }
    });
  }
}
