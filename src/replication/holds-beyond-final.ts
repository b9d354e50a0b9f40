import type { Ledger } from './ledger.ts';

/**
 * True where the store of a copy or cache has something of a removed origin's log beyond its final sequence: a load or a
 * write brought it before the removal was heard of, and nobody else keeps it there (rule R23).
 */
export async function holdsBeyondFinal({ registry, store }: Pick<Ledger, 'registry' | 'store'>): Promise<boolean> {
  const { finals } = registry.membership;
  if (finals.size === 0) return false;
  const snapshot = store.snapshot();
  try {
    for (const [origin, final] of finals) {
      for await (const page of snapshot.log(origin, final + 1)) if (page.length > 0) return true;
    }
    return false;
  } finally {
    await snapshot.close();
  }
}
