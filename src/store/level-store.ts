import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordKey } from '../model/key.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { Head, Record } from '../model/record.ts';
import { type Database, eraseAll, openDatabase } from './level/level-database.ts';
import { closed, failed, storeError } from './level/level-errors.ts';
import { metaKey, metaNameIn, metaTable, namespaceRanges, tableBounds } from './level/level-keys.ts';
import { addOperations } from './level/level-operations.ts';
import type { LevelOptions } from './level/level-options.ts';
import { readHeads, readRecord } from './level/level-reader.ts';
import { LevelSnapshot } from './level/level-snapshot.ts';
import { syncLogs } from './level/sync-logs.ts';
import type { CommitBatch, Snapshot, Store } from './store.ts';

/**
 * A store in a folder of its own, made where it is absent. One process has it open at a time.
 * @throws UNAVAILABLE (`store-locked`) where another one has; DATA_LOSS where it is damaged or of a later format
 */
export async function openLevelStore(directory: string, options: LevelOptions = {}): Promise<Store> {
  return new LevelStore(directory, options, await openDatabase(directory, options));
}

type State = { readonly kind: 'open' | 'closed' } | { readonly kind: 'failed'; readonly cause: unknown };

/** The store on LevelDB. What changes it runs one after the other, in the order of the calls; reads run beside that. */
class LevelStore implements Store {
  readonly #directory: string;
  readonly #options: LevelOptions;
  #database: Database;
  #state: State = { kind: 'open' };
  /** Ends, and never rejects, when everything that was asked for so far is done. */
  #last: Promise<void> = Promise.resolve();
  #unsynced = false;

  constructor(directory: string, options: LevelOptions, database: Database) {
    this.#directory = directory;
    this.#options = options;
    this.#database = database;
  }

  heads(keys: readonly RecordKey[]): Promise<ReadonlyArray<Head | undefined>> {
    return this.#read((database) => readHeads(database, keys, {}));
  }

  read(key: RecordKey): Promise<Record | undefined> {
    return this.#read(async (database) => {
      const record = await readRecord(database, key, {});
      if (record !== 'overwritten') return record;
      // Whoever overwrites it may do so again and again; a snapshot cannot be overtaken.
      const snapshot = new LevelSnapshot(database);
      return snapshot.read(key).finally(() => snapshot.close());
    });
  }

  meta(name: string): Promise<Uint8Array | undefined> {
    return this.#read(async (database) => database.getSync(metaKey(name)));
  }

  metaNames(): Promise<readonly string[]> {
    return this.#read(async (database) => (await database.keys(tableBounds(metaTable)).all()).map(metaNameIn));
  }

  commit(batch: CommitBatch): Promise<void> {
    return this.#change(async (database) => {
      if (batch.sync && this.#unsynced) await syncLogs(this.#directory);
      // A chained batch takes half the time of an array: that one copies each operation (test/bench/store.ts).
      const writing = database.batch();
      try {
        addOperations(writing, batch);
        await writing.write({ sync: batch.sync });
      } finally {
        await writing.close();
      }
      this.#unsynced = !batch.sync;
    });
  }

  snapshot(): Snapshot {
    this.#check();
    return new LevelSnapshot(this.#database);
  }

  erase(): Promise<void> {
    return this.#change(async (database) => {
      await eraseAll(database);
      this.#unsynced = false;
    });
  }

  reopen(): Promise<void> {
    return this.#queue(async () => {
      if (this.#state.kind === 'closed') throw closed();
      this.#state = { kind: 'failed', cause: new Error('the store is being opened again') };
      try {
        await this.#database.close();
        this.#database = await openDatabase(this.#directory, this.#options);
        this.#state = { kind: 'open' };
        this.#unsynced = false; // Opening turns logs into synced tables.
      } catch (error) {
        this.#state = { kind: 'failed', cause: error };
        throw storeError(error);
      }
    });
  }

  /** LevelDB keeps what was deleted until it happens to merge the tables that hold it: on a quiet disk that is never. */
  async reclaim(namespace: NamespaceId): Promise<void> {
    for (const [first, end] of namespaceRanges(namespace)) {
      await this.#read((database) => database.compactRange(first, end));
    }
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
    return this.#queue(async () => {
      this.#state = { kind: 'closed' };
      await this.#database.close();
    });
  }

  #check(): void {
    if (this.#state.kind === 'closed') throw closed();
    if (this.#state.kind === 'failed') throw failed(this.#state.cause);
  }

  async #read<T>(run: (database: Database) => Promise<T>): Promise<T> {
    this.#check();
    try {
      return await run(this.#database);
    } catch (error) {
      throw storeError(error);
    }
  }

  #change(run: (database: Database) => Promise<void>): Promise<void> {
    return this.#queue(async () => {
      this.#check();
      try {
        await run(this.#database);
      } catch (error) {
        this.#state = { kind: 'failed', cause: error };
        throw storeError(error);
      }
    });
  }

  #queue(run: () => Promise<void>): Promise<void> {
    const running = this.#last.then(run);
    this.#last = running.catch(() => {});
    return running;
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0, // It has become a table meanwhile.
  );
}
