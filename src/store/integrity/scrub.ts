import { readManifest } from '../files/manifest.ts';
import { checkTable } from '../files/table-file.ts';
import { pathOf } from './check-tables.ts';

export interface ScrubStep {
  /** Bytes of the disk that were read. */
  readonly bytes: number;
  /** What was wrong with a table; unset if all is well. */
  readonly damage?: string;
  /** True if all tables have been verified since the last step that said so. */
  readonly roundDone: boolean;
}

/** Verifies the tables of a store that is open, one a step, over and over: each is verified again once a round. */
export class Scrub {
  readonly #directory: string;
  #last = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The next table, in the order of their numbers. */
  async step(): Promise<ScrubStep> {
    const tables = (await readManifest(this.#directory))?.tables ?? [];
    const rest = tables.filter(({ number }) => number > this.#last).sort((a, b) => a.number - b.number);
    const [table] = rest;
    this.#last = table === undefined || rest.length === 1 ? 0 : table.number;
    const roundDone = this.#last === 0;
    if (table === undefined) return { bytes: 0, roundDone };
    const path = await pathOf(this.#directory, table);
    const check = await checkTable(path, table.bytes, table.smallest);
    const blocks = check.damaged.length;
    const damage = check.unreadable ?? (blocks > 0 ? `${blocks} of its blocks are damaged` : undefined);
    // A table that LevelDB merged with others meanwhile no longer belongs to the store, and may be gone.
    if (damage === undefined || !(await this.#isLive(table.number))) return { bytes: check.bytes, roundDone };
    return { bytes: check.bytes, damage: `${path}: ${damage}`, roundDone };
  }

  async #isLive(number: number): Promise<boolean> {
    return (await readManifest(this.#directory))?.tables.some((table) => table.number === number) ?? false;
  }
}
