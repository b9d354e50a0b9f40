import { mapKey } from '../../../src/model/key.ts';
import type { GetAnswer, ListAnswer, WriteAnswer, WriteRequest } from '../../../src/model/key-value.ts';
import type { NamespaceId } from '../../../src/model/namespace.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import type { Truth } from './truth.ts';

/** By namespace and key: the latest version that a user wrote, or was shown, the end of a key included. */
export type Remembered = ReadonlyMap<string, Stamp>;

/**
 * What one user knows by heart, whatever the session says: nothing may go back before that. Not once a disk was copied: what
 * the one wrote, the other takes for lost where it is alone, as if its disk had been put back, and the session says so.
 */
export class Memory {
  readonly #seen = new Map<string, Stamp>();
  readonly #isCopied: () => boolean;

  /** @param isCopied whether any member has run twice so far */
  constructor(isCopied: () => boolean) {
    this.#isCopied = isCopied;
  }

  /** As it is now, for what is asked now. */
  remembered(): Remembered {
    return new Map(this.#isCopied() ? [] : this.#seen);
  }

  /** Who answered knows nothing of what the session named. */
  forget(): void {
    this.#seen.clear();
  }

  sawAnswer(key: string, { record, namespace, covered }: GetAnswer, truth: Truth): void {
    this.#saw(namespace, key, record?.stamp ?? truth.covered(namespace, key, covered)?.record.stamp);
  }

  /** The keys of the page; what lies in between was not there. */
  sawList(keys: readonly string[], { namespace, covered, keys: listed }: ListAnswer, truth: Truth): void {
    for (const key of keys) {
      const found = listed.find((one) => one.key === key);
      this.#saw(namespace, key, found?.stamp ?? truth.covered(namespace, key, covered)?.record.stamp);
    }
  }

  wrote({ mutations }: Pick<WriteRequest, 'mutations'>, { namespace, written }: WriteAnswer): void {
    mutations.forEach(({ key }, index) => {
      this.#saw(namespace, key, written[index]?.stamp);
    });
  }

  #saw(namespace: NamespaceId, key: string, stamp: Stamp | undefined): void {
    const name = mapKey(namespace, key);
    if (stamp !== undefined && stamp > (this.#seen.get(name) ?? '')) this.#seen.set(name, stamp);
  }
}
