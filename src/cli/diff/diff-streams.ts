import { assert } from '../../model/assert.ts';
import { compareKeys } from '../../model/key.ts';
import { type ComparedRecord, type Difference, differencesOf } from './compared-record.ts';

/** What became of a key from the first side to the second. */
export type KeyChange =
  | { readonly kind: 'added' | 'removed' | 'equal'; readonly key: string }
  | { readonly kind: 'changed'; readonly key: string; readonly differs: readonly Difference[] };

/**
 * Compares two streams of records, each in the order of its keys' bytes, key by key:
 *
 *     a b   d        b is removed, c is added, and of a and d the records are compared
 *     a   c d
 */
export async function* diffStreams(
  first: AsyncIterable<ComparedRecord>,
  second: AsyncIterable<ComparedRecord>,
): AsyncGenerator<KeyChange, void, undefined> {
  const [left, right] = [new Head(first), new Head(second)];
  try {
    let [one, other] = await Promise.all([left.next(), right.next()]);
    while (one !== undefined || other !== undefined) {
      const order = one === undefined ? 1 : other === undefined ? -1 : compareKeys(one.key, other.key);
      if (one !== undefined && order < 0) yield { kind: 'removed', key: one.key };
      else if (other !== undefined && order > 0) yield { kind: 'added', key: other.key };
      else if (one !== undefined && other !== undefined) yield changeOf(one, other);
      [one, other] = await Promise.all([order <= 0 ? left.next() : one, order >= 0 ? right.next() : other]);
    }
  } finally {
    await Promise.all([left.end(), right.end()]);
  }
}

function changeOf(one: ComparedRecord, other: ComparedRecord): KeyChange {
  const differs = differencesOf(one, other);
  return differs.length === 0 ? { kind: 'equal', key: one.key } : { kind: 'changed', key: one.key, differs };
}

/** Takes one record at a time, in their order. */
class Head {
  readonly #records: AsyncIterator<ComparedRecord>;
  #before: string | undefined;

  constructor(records: AsyncIterable<ComparedRecord>) {
    this.#records = records[Symbol.asyncIterator]();
  }

  async next(): Promise<ComparedRecord | undefined> {
    const { done, value } = await this.#records.next();
    if (done === true) return undefined;
    assert(
      this.#before === undefined || compareKeys(this.#before, value.key) < 0,
      'records in the order of their keys',
    );
    this.#before = value.key;
    return value;
  }

  async end(): Promise<void> {
    await this.#records.return?.();
  }
}
