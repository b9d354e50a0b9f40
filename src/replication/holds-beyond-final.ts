import type { RecordKey } from '../model/key.ts';
import type { OriginId } from '../model/position.ts';
import type { Store } from '../store/store.ts';
import type { Ledger } from './ledger.ts';

/**
 * True where the store of a copy or cache has something of a removed origin's log beyond its final sequence: a load or a
 * write brought it before the removal was heard of, and nobody else keeps it there (rule R23).
 */
export async function holdsBeyondFinal({ registry, store }: Pick<Ledger, 'registry' | 'store'>): Promise<boolean> {
  for (const [origin, final] of registry.membership.finals) {
    if (await holdsFrom(store, { origin, from: final + 1 })) return true;
  }
  return false;
}

/** True where the store has something like this of an origin's log at this sequence or behind it. Default: anything. */
export async function holdsFrom(
  store: Pick<Store, 'snapshot'>,
  { origin, from }: { readonly origin: OriginId; readonly from: number },
  isMeant: (head: RecordKey) => boolean = () => true,
): Promise<boolean> {
  const snapshot = store.snapshot();
  try {
    for await (const page of snapshot.log(origin, from)) if (page.some(isMeant)) return true;
    return false;
  } finally {
    await snapshot.close();
  }
}
