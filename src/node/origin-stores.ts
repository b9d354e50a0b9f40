import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OriginStores } from '../origin/origin-options.ts';
import { makeFolder } from '../runtime/make-folder.ts';
import { syncFolder } from '../runtime/sync-folder.ts';
import { openLevelStore } from '../store/level-store.ts';
import type { Store } from '../store/store.ts';
import type { OpenStore } from './open-store.ts';

/** Opens the store in a folder; `name` is what the folder is called. */
export type OpenNamed = (path: string, name: string) => Promise<OpenStore>;

interface Aside {
  readonly number: number;
  readonly opened: OpenStore;
}

const openPlain: OpenNamed = async (path) => {
  const store = await openLevelStore(path);
  return { store, close: () => store.close() };
};

/**
 * An origin's data folder. `store` is what it runs over; `aside-1`, `aside-2`, … are stores that it put aside to begin
 * anew. A crash between any two steps leaves what the next opening goes on from:
 *
 *     store                    putAside: renamed
 *     aside-1                  a crash here: an empty store is made beside it
 *     aside-1  store           dropAside: renamed first, as a store that is half deleted cannot be opened
 *     dropped-1  store         a crash here: the next opening deletes it
 *     store
 *
 *     aside-1  store           takeBack: the store first
 *     aside-1  dropped-1       a crash here: the next opening deletes it, and makes an empty store
 *     store    dropped-1       a crash here: the next opening deletes it
 *     store
 */
export class OriginFolder implements OriginStores {
  readonly #folder: string;
  readonly #open: OpenNamed;
  #current: OpenStore;
  #aside: readonly Aside[];

  private constructor(folder: string, open: OpenNamed, current: OpenStore, aside: readonly Aside[]) {
    this.#folder = folder;
    this.#open = open;
    this.#current = current;
    this.#aside = aside;
  }

  /** @throws UNAVAILABLE (another process holds it), DATA_LOSS */
  static async open(folder: string, open: OpenNamed = openPlain): Promise<OriginFolder> {
    await makeFolder(folder);
    const stores: OpenStore[] = [];
    const openOne = async (name: string): Promise<OpenStore> => {
      const opened = await open(join(folder, name), name);
      stores.push(opened);
      return opened;
    };
    try {
      // First of all: it is what keeps a second process out.
      const current = await openOne('store');
      const names = await readdir(folder);
      for (const number of numbered(names, 'dropped')) await removeFolder(join(folder, `dropped-${number}`));
      const aside: Aside[] = [];
      for (const number of numbered(names, 'aside')) aside.push({ number, opened: await openOne(`aside-${number}`) });
      return new OriginFolder(folder, open, current, aside);
    } catch (error) {
      for (const opened of stores) await opened.close();
      throw error;
    }
  }

  get store(): Store {
    return this.#current.store;
  }

  get aside(): readonly Store[] {
    return this.#aside.map(({ opened }) => opened.store);
  }

  async putAside(): Promise<OriginStores> {
    const number = (this.#aside.at(-1)?.number ?? 0) + 1;
    await this.#current.close();
    await rename(join(this.#folder, 'store'), join(this.#folder, `aside-${number}`));
    await syncFolder(this.#folder);
    this.#current = await this.#open(join(this.#folder, 'store'), 'store');
    const aside = `aside-${number}`;
    this.#aside = [...this.#aside, { number, opened: await this.#open(join(this.#folder, aside), aside) }];
    return this;
  }

  async takeBack(): Promise<OriginStores> {
    const last = this.#aside.at(-1);
    if (last === undefined) throw new Error('no store was put aside');
    const dropped = join(this.#folder, `dropped-${last.number}`);
    await this.#current.close();
    await last.opened.close();
    await rename(join(this.#folder, 'store'), dropped);
    await syncFolder(this.#folder);
    await rename(join(this.#folder, `aside-${last.number}`), join(this.#folder, 'store'));
    await syncFolder(this.#folder);
    this.#aside = this.#aside.slice(0, -1);
    this.#current = await this.#open(join(this.#folder, 'store'), 'store');
    await removeFolder(dropped);
    return this;
  }

  async dropAside(): Promise<void> {
    const dropped = this.#aside;
    this.#aside = [];
    for (const { number, opened } of dropped) {
      await opened.close();
      await rename(join(this.#folder, `aside-${number}`), join(this.#folder, `dropped-${number}`));
    }
    await syncFolder(this.#folder);
    for (const { number } of dropped) await removeFolder(join(this.#folder, `dropped-${number}`));
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#current.close();
    for (const { opened } of this.#aside) await opened.close();
  }
}

/** The numbers behind that word, lowest first. */
function numbered(names: readonly string[], word: string): readonly number[] {
  const pattern = new RegExp(`^${word}-([1-9][0-9]*)$`);
  return names
    .map((name) => Number(pattern.exec(name)?.[1] ?? 0))
    .filter((number) => number > 0)
    .sort((a, b) => a - b);
}

async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
