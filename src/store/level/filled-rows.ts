import { compareRecordKeys, type RecordKey } from '../../model/key.ts';

/**
 * How far a store that held nothing has been filled. A key after every row that was put is not there, and need not be
 * looked for: a copy is filled in the order of keys, and so are many imports, whose every record would cost a look.
 *
 *     an empty store, a and b are put     c is not there; b is looked for, as is aa
 *
 * Nothing is known of a store that held anything when it was opened: a row may lie in a block that cannot be read.
 */
export class FilledRows {
  #last: RecordKey | undefined;
  readonly #isKnown: boolean;

  /** @param isKnown whether the store holds no row now */
  constructor(isKnown: boolean) {
    this.#isKnown = isKnown;
  }

  /** These are about to be put. */
  put(keys: Iterable<RecordKey>): void {
    if (!this.#isKnown) return;
    for (const key of keys) {
      if (!this.#isBehind(key)) continue;
      this.#last = { namespace: key.namespace, key: key.key };
    }
  }

  /** True if none of these was ever put. */
  lacks(keys: readonly RecordKey[]): boolean {
    return this.#isKnown && keys.every((key) => this.#isBehind(key));
  }

  #isBehind(key: RecordKey): boolean {
    return this.#last === undefined || compareRecordKeys(key, this.#last) > 0;
  }
}
