import type { OriginStores } from '../../src/origin/origin-options.ts';
import { type Contents, MemoryDisk, type MemoryStore } from './memory-store.ts';

/** What a disk held at some moment. */
export interface DiskImage {
  readonly present: Contents;
  readonly aside: readonly Contents[];
}

/** The disk of an origin: what it runs over, and what it put aside. */
export class OriginDisks {
  readonly present = new MemoryDisk();
  /** Newest last. */
  readonly aside: MemoryDisk[] = [];
  /** Told when the store is put aside, with what it held, before an empty one takes its place. */
  onPutAside: (held: Contents) => void = () => {};
  /** Told when what was put aside last, with what it holds, takes the store's place again. */
  onTakenBack: (held: Contents) => void = () => {};

  /** @param openStore opens a store over a disk, in the process that runs over these disks */
  async open(openStore: (disk: MemoryDisk) => MemoryStore): Promise<OriginStores> {
    return this.#stores(openStore(this.present), openStore);
  }

  /** All that the disk holds, as it would be after a power cut. */
  image(): DiskImage {
    return { present: this.present.synced, aside: this.aside.map(({ synced }) => synced) };
  }

  /** The process is down, and its disk is what some origin's was at some time. */
  putBack({ present, aside }: DiskImage): void {
    this.present.synced = present;
    this.present.visible = present;
    this.aside.splice(0);
    for (const contents of aside) {
      const disk = new MemoryDisk();
      disk.synced = contents;
      this.aside.push(disk);
    }
  }

  wipe(): void {
    this.present.wipe();
    this.aside.length = 0;
  }

  #stores(store: MemoryStore, openStore: (disk: MemoryDisk) => MemoryStore): OriginStores {
    return {
      store,
      aside: this.aside.map(openStore),
      putAside: async () => {
        await store.close();
        if (store.crashed) await new Promise(() => {}); // Nothing of the process has an effect any more.
        const before = new MemoryDisk();
        before.synced = this.present.synced;
        this.onPutAside(before.synced);
        this.aside.push(before);
        this.present.wipe();
        return this.#stores(openStore(this.present), openStore);
      },
      takeBack: async () => {
        await store.close();
        if (store.crashed) await new Promise(() => {});
        const last = this.aside.pop();
        if (last === undefined) throw new Error('no store was put aside');
        this.present.synced = last.synced;
        this.present.visible = last.synced;
        this.onTakenBack(last.synced);
        return this.#stores(openStore(this.present), openStore);
      },
      dropAside: async () => {
        if (store.crashed) await new Promise(() => {});
        this.aside.length = 0;
      },
    };
  }
}
