import type { RecordKey } from '../model/key.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Head } from '../model/record.ts';
import type { RecordRange } from '../store/store.ts';
import type { Ledger } from './ledger.ts';
import { isOf, type LostLife } from './lost-lives.ts';

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
  range: RecordRange | LostLife,
  { sync = false, signal, only = () => true }: RemovalOptions = {},
): Promise<number> {
  const { snapshot } = ledger.instant();
  let seen = 0;
  try {
    const pages = 'origin' in range ? snapshot.log(range.origin, range.from) : snapshot.records(range);
    for await (const page of pages) {
      signal?.throwIfAborted();
      seen += page.length;
      const keys = page.map(({ namespace, key }) => ({ namespace, key })).filter(only);
      if (keys.length === 0) continue;
      const removed = await ledger.submit({
        keys,
        sync,
        bytes: keys.length * 128,
        decide: (view) => {
          const heads = keys.filter(only).map((key) => view.head(key));
          const removals = heads.filter((head) => head !== undefined).filter((head) => isWithin(head, range));
          return { removals, silent: true, result: removals };
        },
      });
      // Neither that it lived nor that it died is known any more.
      for (const { namespace, key } of removed) {
        if ('origin' in range && namespace === registryNamespace) ledger.registry.unlearn(key);
      }
    }
    return seen;
  } finally {
    await snapshot.close();
  }
}

/** What was written since the look has a place of its own, and stays. */
function isWithin({ position }: Head, range: RecordRange | LostLife): boolean {
  return !('origin' in range) || isOf(range, position);
}
