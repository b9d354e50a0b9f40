import type { RecordKey } from '../model/key.ts';
import type { RecordRange } from '../store/store.ts';
import type { Ledger } from './ledger.ts';

interface RemovalOptions {
  readonly sync?: boolean;
  readonly signal?: AbortSignal;
  /** Which of the keys to remove, asked again just before they go. Default: all. */
  readonly only?: (key: RecordKey) => boolean;
}

/**
 * Removes the records of a range without a trace, page by page, in the ledger's order. Without `sync`, a failed commit
 * may bring them back (rule R2). Returns how many records it saw.
 */
export async function removeRecords(
  ledger: Ledger,
  range: RecordRange,
  { sync = false, signal, only = () => true }: RemovalOptions = {},
): Promise<number> {
  const { snapshot } = ledger.instant();
  let seen = 0;
  try {
    let damaged: RecordKey[] = [];
    const onDamaged = ({ namespace, key }: RecordKey) => damaged.push({ namespace, key });
    const remove = async (page: readonly RecordKey[]): Promise<void> => {
      signal?.throwIfAborted();
      const found = [...damaged, ...page];
      damaged = [];
      seen += found.length;
      const keys = found.map(({ namespace, key }) => ({ namespace, key })).filter(only);
      if (keys.length > 0) await removeKeys(ledger, keys, { sync, only });
    };
    for await (const page of snapshot.records(range, onDamaged)) await remove(page);
    await remove([]); // Damaged records may have come last.
    return seen;
  } finally {
    await snapshot.close();
  }
}

async function removeKeys(
  ledger: Ledger,
  keys: readonly RecordKey[],
  { sync, only }: Required<Pick<RemovalOptions, 'sync' | 'only'>>,
): Promise<void> {
  await ledger.submit({
    keys,
    sync,
    bytes: keys.length * 128,
    decide: (view) => {
      const gone = keys.filter(only);
      const removals = gone.map((key) => view.head(key)).filter((head) => head !== undefined);
      return { removals, discards: gone, silent: true, result: undefined };
    },
  });
}
