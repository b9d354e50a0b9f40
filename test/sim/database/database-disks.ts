import type { Record } from '../../../src/model/record.ts';
import { kinds } from '../../../src/store/postgres/schema.ts';
import { encodeStores } from '../../../src/store/postgres/store-numbers.ts';
import { encodeRow } from '../../../src/store/record-row.ts';
import { endedAtSeconds } from '../../../src/store/store.ts';
import { type DiskImage, OriginDisks } from '../../support/memory-origin-stores.ts';
import { type Contents, MemoryDisk } from '../../support/memory-store.ts';
import type { SimulatedDatabase } from './simulated-database.ts';
import {
  contentsOf,
  nameOfRow,
  noRows,
  numbersIn,
  type RecordRow,
  type Rows,
  recordOf,
  rowsIn,
  type Tables,
} from './tables.ts';

/** A database as judges and faults see disks: what is committed is synced, and is what everybody sees. */
export class DatabaseDisks extends OriginDisks {
  readonly #images = new WeakMap<DiskImage, Tables>();
  /** Set once, before anything is committed. */
  database: SimulatedDatabase | undefined;

  /** A commit was made. */
  show(before: Tables, after: Tables): void {
    const [from, to] = [numbersIn(before), numbersIn(after)];
    if (from.current !== to.current) {
      const held = contentsOf(rowsIn(before, from.current));
      if (to.aside.length > from.aside.length) this.onPutAside(held);
      else if (to.aside.length < from.aside.length) this.onTakenBack(contentsOf(rowsIn(after, to.current)));
    }
    this.#mirror(after);
    const held = rowsIn(before, to.current).records;
    const written = [...rowsIn(after, to.current).records].filter(([name, row]) => held.get(name) !== row);
    if (from.current === to.current) this.present.onSynced(written.map(([, row]) => recordOf(row)));
  }

  override image(): DiskImage {
    return this.imageOf(this.#tables);
  }

  /** As of some commit. */
  imageOf(tables: Tables): DiskImage {
    const { current, aside } = numbersIn(tables);
    const contents = (number: number) => contentsOf(rowsIn(tables, number));
    const image = { present: contents(current), aside: aside.map(contents) };
    this.#images.set(image, tables);
    return image;
  }

  /** An image of another origin's disk gets into the tables by an operator. */
  override putBack(image: DiskImage): void {
    this.#replace(this.#images.get(image) ?? tablesOf(image, this.#tables));
  }

  override wipe(): void {
    this.#replace(tablesOf({ present: contentsOf(noRows), aside: [] }, this.#tables));
  }

  get #tables(): Tables {
    if (this.database === undefined) throw new Error('there is a database');
    return this.database.tables;
  }

  #replace(tables: Tables): void {
    this.database?.replace(tables);
    this.#mirror(tables);
  }

  #mirror(tables: Tables): void {
    const { current, aside } = numbersIn(tables);
    const contents = contentsOf(rowsIn(tables, current));
    this.present.synced = contents;
    this.present.visible = contents;
    this.aside.splice(0);
    for (const number of aside) {
      const disk = new MemoryDisk();
      disk.synced = contentsOf(rowsIn(tables, number));
      this.aside.push(disk);
    }
  }
}

/** Tables that nobody holds. */
function tablesOf({ present, aside }: DiskImage, { writer }: Tables): Tables {
  const all = [...aside, present];
  const last = all.length;
  const numbers = { current: last, aside: aside.map((_, index) => index + 1), dropped: [], last };
  const free = { ...writer, lease: '', holder: '', address: '', untilMs: 0, stores: encodeStores(numbers) };
  return { writer: free, stores: new Map(all.map((contents, index) => [index + 1, rowsOf(contents)])) };
}

function rowsOf({ records, meta }: Contents): Rows {
  const rows = [...records.values()].map((record): [string, RecordRow] => {
    const row = rowOf(record);
    return [nameOfRow(row), row];
  });
  return { records: new Map(rows), meta: new Map([...meta].map(([name, value]) => [name, Buffer.from(value)])) };
}

function rowOf(record: Record): RecordRow {
  const { namespace, key, position } = record;
  return {
    namespace,
    key: Buffer.from(key),
    log: position.log,
    sequence: position.sequence,
    kind: kinds[record.kind],
    ended: endedAtSeconds(record),
    head: Buffer.from(encodeRow(record, -1)),
    value: record.kind === 'live' ? Buffer.from(record.value) : undefined,
  };
}
