import type { Epochs } from '../model/epoch.ts';
import type { RecordKey } from '../model/key.ts';
import { registryNamespace } from '../model/namespace.ts';
import { holdsFrom } from '../replication/holds-beyond-final.ts';
import type { Ledger } from '../replication/ledger.ts';
import { emptyLedgerState, type LedgerState } from '../replication/ledger-state.ts';
import { beyond, isOf, type LostLife } from '../replication/lost-lives.ts';
import { removeRecords } from '../replication/remove-records.ts';
import type { DiskBound } from './disk-bound.ts';
import type { MemoryCache } from './memory-cache.ts';

/** What a cache keeps its entries in. */
export interface Cached {
  readonly ledger: Ledger;
  readonly memory: MemoryCache;
  readonly disk: DiskBound;
}

/** Everything goes: first what vouches for it, by its name, so that a crash half-way leaves nothing that counts. */
export async function forgetAll({ ledger, memory, disk }: Cached, vouching: string): Promise<void> {
  memory.clear();
  ledger.registry.clear(); // Before its records go, or each that goes would speak of a namespace's end.
  const meta = new Map([[vouching, undefined]]);
  const decide = () => ({ state: emptyLedgerState, meta, silent: true, result: undefined });
  await ledger.submit({ keys: [], sync: true, bytes: 0, decide });
  await removeRecords(ledger, {}, { sync: true });
  ledger.registry.clear();
  await disk.measure();
}

/** Of origins of which no opening was heard before: nobody knows which life what a load or a write brought is from. */
export function livesUnheard({ covered, epochs }: Pick<LedgerState, 'covered' | 'epochs'>, told: Epochs): LostLife[] {
  const unheard = [...told.keys()].filter((origin) => !epochs.has(origin));
  return beyond(
    unheard.map((origin) => ({ origin, from: 1 })),
    covered,
  );
}

/**
 * What a load or a write brought of these lives goes before the new ones are heard of (R16). False where nothing was
 * forgotten, because a part of the registry would go with it: what that took the place of is held no more, so that the
 * registry has to be taken anew.
 */
export async function forgetLives({ ledger, memory, disk }: Cached, lost: readonly LostLife[]): Promise<boolean> {
  // What was installed before is on disk by then.
  await ledger.submit({ keys: [], sync: false, bytes: 0, decide: () => ({ result: undefined }) });
  for (const life of lost) if (await holdsFrom(ledger.store, life, isOfRegistry)) return false;
  let gone = 0;
  for (const life of lost) gone += await removeRecords(ledger, life, { sync: true });
  // What superseded an entry may have been of them too: what it took the place of would be refused for good.
  memory.deleteWhere(
    ({ record: { position }, superseded }) => superseded !== undefined || lost.some((life) => isOf(life, position)),
  );
  if (gone > 0) await disk.measure();
  return true;
}

function isOfRegistry({ namespace }: RecordKey): boolean {
  return namespace === registryNamespace;
}
