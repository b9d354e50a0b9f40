import { containsFilter, type Filter, filterKey, matches } from '../model/filter.ts';
import { holds } from '../model/rules.ts';
import { Ledger, type LedgerOptions } from '../replication/ledger.ts';
import { removeRecords } from '../replication/remove-records.ts';
import type { Store } from '../store/store.ts';

const filterName = 'edge/scope-filter';

/**
 * The ledger of a scope over its store. A cursor belongs to the scope that it was followed with (rule R6): what was
 * followed as a scope that lies within the earlier one is covered as before, so the rest goes and this stays; any other
 * scope starts from nothing.
 */
export async function openScopeLedger(
  store: Store,
  filter: Filter,
  options: Omit<LedgerOptions, 'store'>,
): Promise<Ledger> {
  const stored = await store.meta(filterName);
  const earlier = stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString()) as Filter);
  const isSame = earlier !== undefined && filterKey(earlier) === filterKey(filter);
  const within = earlier !== undefined && containsFilter(earlier, filter);
  if (earlier !== undefined && !within && holds('R6 scopes')) await store.erase();
  const ledger = await Ledger.open({ ...options, store });
  if (isSame) return ledger;
  // The filter is stored once all of that is gone: broken off, it is done again.
  if (within) {
    await removeRecords(ledger, {}, { sync: true, only: ({ namespace, key }) => !matches(filter, namespace, key) });
  }
  const meta = new Map([[filterName, Buffer.from(JSON.stringify(filter))]]);
  await ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) });
  return ledger;
}
