import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordKey } from '../model/key.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { Head, Record } from '../model/record.ts';
import { InTurn } from '../runtime/in-turn.ts';
import type { Acknowledged } from './files/acknowledged.ts';
import { addsValue, checkRoom, checkRoomToOpen, isFull } from './integrity/disk-room.ts';
import { KnownDamage } from './integrity/known-damage.ts';
import { Scrub, type ScrubStep } from './integrity/scrub.ts';
import { FilledRows } from './level/filled-rows.ts';
import { type Database, eraseAll, type Opened, openDatabase } from './level/level-database.ts';
import { storeError } from './level/level-errors.ts';
import { metaKey, metaNameIn, metaTable, namespaceRanges, tableBounds } from './level/level-keys.ts';
import { addOperations } from './level/level-operations.ts';
import { type LevelOptions, levelDefaults } from './level/level-options.ts';
import { readHeads, readRecord, readRecordNow } from './level/level-reader.ts';
import { LevelSnapshot } from './level/level-snapshot.ts';
import { syncLogs } from './level/sync-logs.ts';
import type { CommitBatch, Damaged, OnDamaged, ReadNow, Snapshot, Store, StoreCondition } from './store.ts';
import { closed, failed } from './store-errors.ts';

/**
 * A store in a folder of its own, made if it is absent. One process has it open at a time.
 * @throws UNAVAILABLE (`store-locked`) if another process has it; DATA_LOSS if it is damaged or of a later format
 */
export async function openLevelStore(directory: string, options: LevelOptions = {}): Promise<ScrubbedStore> {
  const opened = await openDatabase(directory, options);
  return new LevelStore(directory, options, opened, await KnownDamage.load(opened.database));
}

/** A store that can be verified while it is used. */
export interface ScrubbedStore extends Store {
  /**
   * Verifies the next of its tables. If that is damaged, the store is closed, its damage is quarantined, and it is
   * opened again: reads and commits wait, open snapshots end with an error. @throws DATA_LOSS if it is beyond that
   */
  scrub(): Promise<ScrubStep>;
}

type State =
  /** `readable`: a commit failed, and there is no room to open the store again. Reads see what was held before. */
  | { readonly kind: 'open' | 'readable' | 'closed' }
  /** Being closed and opened again; reads wait. */
  | { readonly kind: 'reopening'; readonly done: Promise<void> }
  | { readonly kind: 'failed'; readonly cause: unknown };

/** The store on LevelDB. Changes run one after another, in the order of the calls; reads run beside them. */
class LevelStore implements ScrubbedStore {
  readonly #directory: string;
  readonly #options: LevelOptions;
  #database: Database;
  #acknowledged: Acknowledged;
  #damage: KnownDamage;
  #filled: FilledRows;
  /** Number of the last commit. */
  #commits: number;
  #acceptedLoss: number;
  /** The last commit of a value was refused for lack of room. */
  #refused = false;
  #state: State = { kind: 'open' };
  /** Settles, and never rejects, when everything that was asked for so far is done. */
  readonly #turns = new InTurn();
  #unsynced = false;
  readonly #scrub: Scrub;

  constructor(directory: string, options: LevelOptions, opened: Opened, damage: KnownDamage) {
    this.#directory = directory;
    this.#options = options;
    this.#database = opened.database;
    this.#acknowledged = opened.acknowledged;
    this.#commits = opened.commits;
    this.#acceptedLoss = opened.acceptedLoss;
    this.#damage = damage;
    this.#filled = new FilledRows(opened.isNew);
    this.#scrub = new Scrub(directory);
  }

  heads(keys: readonly RecordKey[], onDamaged?: OnDamaged): Promise<ReadonlyArray<Head | undefined>> {
    return this.#read(async (database) => {
      if (this.#filled.lacks(keys)) return keys.map(() => undefined);
      const note = (found: Damaged) => {
        this.#damage.note(found);
        onDamaged?.(found);
      };
      const told = onDamaged === undefined ? undefined : note;
      const heads = await readHeads(database, keys, told);
      if (this.#damage.absenceUncertain) this.#tellDoubts(keys, heads, onDamaged);
      return heads;
    });
  }

  read(key: RecordKey): Promise<Record | undefined> {
    return this.#read(async (database) => {
      const record = await this.#damage.noting(key, () => readRecord(database, key, {}));
      if (record === undefined) return this.#damage.checkAbsence(key);
      if (record !== 'overwritten') {
        this.#damage.forget([key]); // Damage of it that was met in a snapshot is over.
        return record;
      }
      // Writers may overwrite it again and again; a snapshot cannot be overtaken.
      const snapshot = new LevelSnapshot(database, this.#damage);
      return snapshot.read(key).finally(() => snapshot.close());
    });
  }

  readNow(key: RecordKey): ReadNow | undefined {
    const isUsable = this.#state.kind === 'open' || this.#state.kind === 'readable';
    const hasDamage = this.#damage.records > 0 || this.#damage.absenceUncertain;
    return isUsable && !hasDamage ? readRecordNow(this.#database, key) : undefined;
  }

  meta(name: string): Promise<Uint8Array | undefined> {
    return this.#read(async (database) => database.getSync(metaKey(name)));
  }

  metaNames(): Promise<readonly string[]> {
    return this.#read(async (database) => (await database.keys(tableBounds(metaTable)).all()).map(metaNameIn));
  }

  commit(batch: CommitBatch): Promise<void> {
    return this.#change(
      (database) => this.#commit(database, batch),
      () => this.#checkRoom(batch),
    );
  }

  async #commit(database: Database, batch: CommitBatch): Promise<void> {
    if (batch.sync && this.#unsynced) await syncLogs(this.#directory);
    const number = this.#commits + 1;
    this.#filled.put(keysPutBy(batch));
    const healed = await this.#damage.located(database, this.#damage.healedBy(batch), batch);
    // A chained batch takes half the time of an array: that one copies each operation (test/bench/store.ts).
    const writing = database.batch();
    try {
      addOperations(writing, batch, { number, acknowledged: this.#acknowledged.commits }, healed);
      await writing.write({ sync: batch.sync });
    } finally {
      await writing.close();
    }
    this.#commits = number;
    if (batch.sync) this.#acknowledged.set(number);
    this.#damage.forget(healed);
    for (const { namespace, key, position } of batch.lost ?? []) this.#damage.note({ namespace, key, position });
    this.#unsynced = !batch.sync;
  }

  snapshot(): Snapshot {
    this.#check();
    return new LevelSnapshot(this.#database, this.#damage);
  }

  erase(): Promise<void> {
    return this.#change(async (database) => {
      await eraseAll(database);
      this.#damage = await KnownDamage.load(database);
      this.#filled = new FilledRows(true);
      this.#unsynced = false;
    });
  }

  reopen(): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#state.kind === 'closed') throw closed();
      this.#checkRoomToOpen();
      await this.#openAgain(this.#options);
    });
  }

  async scrub(): Promise<ScrubStep> {
    const step = await this.#read(() => this.#scrub.step());
    if (step.damage !== undefined) {
      await this.#turns.run(async () => {
        if (this.#state.kind === 'open')
          await this.#openAgain({ ...this.#options, verifyBytes: Number.POSITIVE_INFINITY });
      });
    }
    return step;
  }

  async #openAgain(options: LevelOptions): Promise<void> {
    let done = () => {};
    const reopened = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#state = { kind: 'reopening', done: reopened };
    try {
      this.#acknowledged.close(false);
      await this.#database.close();
      const opened = await openDatabase(this.#directory, { ...options, acceptLoss: false });
      this.#database = opened.database;
      this.#acknowledged = opened.acknowledged;
      this.#commits = opened.commits;
      this.#damage = await KnownDamage.load(opened.database);
      this.#filled = new FilledRows(opened.isNew);
      this.#state = { kind: 'open' };
      this.#unsynced = false; // Opening turns logs into synced tables.
    } catch (error) {
      this.#state = { kind: 'failed', cause: error };
      throw storeError(error);
    } finally {
      done();
    }
  }

  /** LevelDB keeps what was deleted until it happens to merge the tables that hold it: on a quiet disk that is never. */
  async reclaim(namespace: NamespaceId): Promise<void> {
    for (const [first, end] of namespaceRanges(namespace)) {
      await this.#read((database) => database.compactRange(first, end));
    }
  }

  damaged(): readonly Damaged[] {
    return this.#damage.all();
  }

  condition(): StoreCondition {
    const { records: damagedRecords, absenceUncertain } = this.#damage;
    const full = this.#refused || this.#state.kind === 'readable' || isFull(this.#directory, this.#reserveBytes);
    return { damagedRecords, absenceUncertain, full, acceptedLoss: this.#acceptedLoss };
  }

  /** Tables as LevelDB counts them, and the logs that are no tables yet. */
  approximateBytes(): Promise<number> {
    return this.#read(async (database) => {
      const tables = await database.approximateSize('', '\u{10ffff}');
      const logs = (await readdir(this.#directory)).filter((name) => /^\d+\.log$/.test(name));
      const sizes = await Promise.all(logs.map((name) => sizeOf(join(this.#directory, name))));
      return sizes.reduce((sum, size) => sum + size, tables);
    });
  }

  close(): Promise<void> {
    return this.#turns.run(async () => {
      const { kind } = this.#state;
      this.#state = { kind: 'closed' };
      try {
        this.#acknowledged.close(kind === 'open');
      } finally {
        await this.#database.close();
      }
    });
  }

  #check(): void {
    if (this.#state.kind === 'closed') throw closed();
    if (this.#state.kind === 'failed') throw failed(this.#state.cause);
    if (this.#state.kind === 'reopening') throw failed(new Error('the store is being opened again'));
  }

  #checkRoom(batch: CommitBatch): void {
    if (this.#state.kind === 'readable')
      throw failed(new Error('the disk was full when the store was to be opened again'));
    try {
      checkRoom(this.#directory, batch, this.#reserveBytes);
    } catch (error) {
      this.#refused = true;
      throw error;
    }
    if (addsValue(batch)) this.#refused = false;
  }

  /** While there is no room, reads use what LevelDB has open: all of it was acknowledged, or may be. */
  #checkRoomToOpen(): void {
    try {
      checkRoomToOpen(this.#directory, this.#reserveBytes);
    } catch (error) {
      this.#state = { kind: 'readable' };
      throw storeError(error);
    }
  }

  get #reserveBytes(): number {
    return this.#options.reserveBytes ?? levelDefaults.reserveBytes;
  }

  #tellDoubts(keys: readonly RecordKey[], heads: ReadonlyArray<Head | undefined>, onDamaged?: OnDamaged): void {
    keys.forEach((key, index) => {
      if (heads[index] !== undefined || !this.#damage.isDoubtful(key)) return;
      if (onDamaged === undefined) this.#damage.checkAbsence(key);
      else onDamaged({ namespace: key.namespace, key: key.key });
    });
  }

  async #read<T>(run: (database: Database) => Promise<T>): Promise<T> {
    if (this.#state.kind === 'reopening') await this.#state.done;
    this.#check();
    try {
      return await run(this.#database);
    } catch (error) {
      throw storeError(error);
    }
  }

  /** @param permit checks whether the change may begin: its error leaves the store as it is */
  #change(run: (database: Database) => Promise<void>, permit: () => void = () => {}): Promise<void> {
    return this.#turns.run(async () => {
      this.#check();
      permit();
      try {
        await run(this.#database);
      } catch (error) {
        this.#state = { kind: 'failed', cause: error };
        throw storeError(error);
      }
    });
  }
}

function* keysPutBy({ puts, lost = [] }: CommitBatch): Generator<RecordKey> {
  for (const { record } of puts) yield record;
  yield* lost;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0, // It has become a table meanwhile.
  );
}
