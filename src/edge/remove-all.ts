import type { Ledger } from '../replication/ledger.ts';

/** Removes every record, page by page, in the ledger's order; what the ledger says of itself stays. */
export async function removeAll(ledger: Ledger): Promise<void> {
  const snapshot = ledger.store.snapshot();
  try {
    for await (const page of snapshot.records({})) {
      const keys = page.map(({ namespace, key }) => ({ namespace, key }));
      await ledger.submit({
        keys,
        sync: false,
        bytes: page.length * 128,
        decide: (view) => ({
          removals: keys.map((key) => view.head(key)).filter((head) => head !== undefined),
          silent: true,
          result: undefined,
        }),
      });
    }
  } finally {
    await snapshot.close();
  }
}
