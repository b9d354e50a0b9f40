import type { RecordRange } from '../store/store.ts';
import type { Ledger } from './ledger.ts';

/**
 * Removes every record of a range without a trace, page by page, in the ledger's order, and with `sync` for good: else
 * a failed commit may bring them back (rule R2). Returns how many it saw.
 */
export async function removeRecords(
  ledger: Ledger,
  range: RecordRange,
  { sync = false, signal }: { readonly sync?: boolean; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const { snapshot } = ledger.instant();
  let seen = 0;
  try {
    for await (const page of snapshot.records(range)) {
      signal?.throwIfAborted();
      seen += page.length;
      const keys = page.map(({ namespace, key }) => ({ namespace, key }));
      await ledger.submit({
        keys,
        sync,
        bytes: keys.length * 128,
        decide: (view) => {
          const removals = keys.map((key) => view.head(key)).filter((head) => head !== undefined);
          return { removals, silent: true, result: undefined };
        },
      });
    }
    return seen;
  } finally {
    await snapshot.close();
  }
}
