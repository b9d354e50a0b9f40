import type { RecordKey } from '../model/key.ts';
import type { RecordRange } from '../store/store.ts';
import type { Ledger } from './ledger.ts';

interface RemovalOptions {
  readonly sync?: boolean;
  readonly signal?: AbortSignal;
  /** Which of them, asked when they are about to go. Default: all. */
  readonly only?: (key: RecordKey) => boolean;
}

/**
 * Removes records of a range without a trace, page by page, in the ledger's order, and with `sync` for good: else
 * a failed commit may bring them back (rule R2). Returns how many it saw.
 */
export async function removeRecords(
  ledger: Ledger,
  range: RecordRange,
  { sync = false, signal, only = () => true }: RemovalOptions = {},
): Promise<number> {
  const { snapshot } = ledger.instant();
  let seen = 0;
  try {
    for await (const page of snapshot.records(range)) {
      signal?.throwIfAborted();
      seen += page.length;
      const keys = page.map(({ namespace, key }) => ({ namespace, key })).filter(only);
      if (keys.length === 0) continue;
      await ledger.submit({
        keys,
        sync,
        bytes: keys.length * 128,
        decide: (view) => {
          const heads = keys.filter(only).map((key) => view.head(key));
          return { removals: heads.filter((head) => head !== undefined), silent: true, result: undefined };
        },
      });
    }
    return seen;
  } finally {
    await snapshot.close();
  }
}
