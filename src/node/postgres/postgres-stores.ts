import type { OriginStores } from '../../origin/origin-options.ts';
import type { PostgresDatabase } from '../../store/postgres/postgres-database.ts';
import { PostgresStore } from '../../store/postgres/postgres-store.ts';
import { asideDropped, putAside, takenBack } from '../../store/postgres/store-numbers.ts';
import type { Store } from '../../store/store.ts';

/** An origin's stores in its database: one it runs over, and those that it put aside. Each change is one commit. */
export class PostgresStores implements OriginStores {
  readonly #database: PostgresDatabase;
  #store: PostgresStore;
  #aside: readonly PostgresStore[];
  readonly #closed: () => Promise<void>;

  private constructor(
    database: PostgresDatabase,
    { store, aside, closed }: { store: PostgresStore; aside: readonly PostgresStore[]; closed: () => Promise<void> },
  ) {
    this.#database = database;
    this.#closed = closed;
    this.#store = store;
    this.#aside = aside;
  }

  /** Over a database that this process holds. @param closed what else is to be closed after them */
  static async open(database: PostgresDatabase, closed = async (): Promise<void> => {}): Promise<PostgresStores> {
    const { current, aside } = database.stores;
    const stores: PostgresStore[] = [];
    for (const number of aside) stores.push(await PostgresStore.open(database, number));
    const store = await PostgresStore.open(database, current);
    return new PostgresStores(database, { store, aside: stores, closed });
  }

  get store(): Store {
    return this.#store;
  }

  get aside(): readonly Store[] {
    return this.#aside;
  }

  async putAside(): Promise<OriginStores> {
    await this.#database.change(putAside);
    this.#aside = [...this.#aside, this.#store];
    this.#store = await PostgresStore.open(this.#database);
    return this;
  }

  async takeBack(): Promise<OriginStores> {
    const [last] = this.#aside.slice(-1);
    takenBack(this.#database.stores); // Throws where there is none.
    await this.#store.close();
    await this.#database.change(takenBack);
    await last?.close();
    this.#aside = this.#aside.slice(0, -1);
    this.#store = await PostgresStore.open(this.#database);
    return this;
  }

  async dropAside(): Promise<void> {
    const dropped = this.#aside;
    this.#aside = [];
    await this.#database.change(asideDropped);
    for (const store of dropped) await store.close();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#store.close();
    for (const store of this.#aside) await store.close();
    await this.#closed();
  }
}
