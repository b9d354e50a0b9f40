import { isMeridianError } from '../../model/errors.ts';
import { mapKey, type RecordKey } from '../../model/key.ts';
import type { Position } from '../../model/position.ts';
import type { Database } from '../level/level-database.ts';
import { parseLogKey, parseRecordKey, recordKey, tableBounds } from '../level/level-keys.ts';
import { isDamaged, parseRow } from '../record-row.ts';
import type { CommitBatch, Damaged } from '../store.ts';
import { damaged } from '../store-errors.ts';
import { isWithin, type KeyRange } from './key-range.ts';
import { readDoubts } from './quarantine.ts';

/**
 * The damaged records found so far, in memory: what a commit heals is looked up here, at no cost to a store without
 * damage. It holds the records that were quarantined, and those that a reader met since the opening.
 */
export class KnownDamage {
  readonly #records = new Map<string, Damaged>();
  readonly #doubts: readonly KeyRange[];

  constructor(doubts: readonly KeyRange[] = []) {
    this.#doubts = doubts;
  }

  static async load(database: Database): Promise<KnownDamage> {
    const known = new KnownDamage(await readDoubts(database));
    for await (const name of database.keys(tableBounds('d'))) {
      const key = parseRecordKey(name, 1);
      const row = database.getSync(recordKey(key));
      const found = row === undefined ? key : parseRow(key, row);
      if (isDamaged(found)) known.note(found);
    }
    return known;
  }

  get records(): number {
    return this.#records.size;
  }

  holds({ namespace, key }: RecordKey): boolean {
    return this.#records.has(mapKey(namespace, key));
  }

  all(): readonly Damaged[] {
    return [...this.#records.values()];
  }

  get absenceUncertain(): boolean {
    return this.#doubts.length > 0;
  }

  note(found: Damaged): void {
    const name = mapKey(found.namespace, found.key);
    if (this.#records.get(name)?.position === undefined) this.#records.set(name, found);
  }

  /** Reads that record; if it or its value is found damaged, that is known from then on. */
  async noting<T>({ namespace, key }: RecordKey, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (isMeridianError(error, 'DATA_LOSS')) this.note({ namespace, key });
      throw error;
    }
  }

  /** The damaged records that this batch overwrites, also with lost ones, or discards. */
  healedBy({ puts, removals, discards = [], lost = [] }: CommitBatch): readonly Damaged[] {
    const discarded = discards.map((key) => this.#records.get(mapKey(key.namespace, key.key)) ?? key);
    if (this.#records.size === 0) return discarded;
    const gone = [...puts.map(({ record }) => record), ...removals, ...lost];
    const healed = gone.flatMap(({ namespace, key }) => this.#records.get(mapKey(namespace, key)) ?? []);
    return [...discarded, ...healed];
  }

  /**
   * Adds the place in the log to those that are to be discarded, as a row that fails its checksum does not tell it.
   * That takes a walk over the log. If a record is overwritten instead, the old entry may stay: scans skip it.
   */
  async located(
    database: Database,
    healed: readonly Damaged[],
    { discards = [] }: CommitBatch,
  ): Promise<readonly Damaged[]> {
    const unplaced = healed.filter(({ position }) => position === undefined);
    const sought = new Set(discards.map(({ namespace, key }) => mapKey(namespace, key)));
    if (!unplaced.some(({ namespace, key }) => sought.has(mapKey(namespace, key)))) return healed;
    const places = new Map<string, Position>();
    for await (const [name, value] of database.iterator(tableBounds('l'))) {
      if (sought.has(value.toString())) places.set(value.toString(), parseLogKey(name));
    }
    return healed.map(({ namespace, key, position = places.get(mapKey(namespace, key)) }) =>
      position === undefined ? { namespace, key } : { namespace, key, position },
    );
  }

  forget(healed: readonly RecordKey[]): void {
    if (this.#records.size === 0) return;
    for (const { namespace, key } of healed) this.#records.delete(mapKey(namespace, key));
  }

  /** Whether that key, which was not found, may have been held. */
  isDoubtful(key: RecordKey): boolean {
    return isWithin(this.#doubts, recordKey(key));
  }

  /** @throws DATA_LOSS if that key, which was not found, may have been held */
  checkAbsence(key: RecordKey): undefined {
    if (!this.isDoubtful(key)) return undefined;
    throw damaged(`whether ${JSON.stringify(key.key)} in namespace ${key.namespace} was held cannot be told any more`);
  }
}
