import { isMeridianError } from '../model/errors.ts';
import { containsFilter, type Filter, filterKey, matches } from '../model/filter.ts';
import { holds } from '../model/rules.ts';
import { Ledger, type LedgerOptions } from '../replication/ledger.ts';
import { removeRecords } from '../replication/remove-records.ts';
import type { Store } from '../store/store.ts';
import type { EdgeObserver } from './observer.ts';

const filterName = 'edge/scope-filter';

/** The filter of which a store holds everything. */
interface StoredFilter extends Filter {
  /** The rest of a wider scope is still to be removed, or was removed in part: it must not be counted on. */
  readonly narrows?: true;
}

export interface ScopeLedgerOptions extends Omit<LedgerOptions, 'store'> {
  readonly edgeObserver: Pick<EdgeObserver, 'storeErased'>;
  /** Whether the scope holds all of its records, or only those that were asked for. */
  readonly holds: 'all' | 'some';
}

/**
 * The ledger of a scope over its store. A cursor belongs to the scope that it was followed with (rule R6). A scope that
 * lies within the earlier one is covered as before: the rest is removed and this stays. Any other scope starts from
 * nothing, if it is to hold all of its records. A scope that holds some of them, kept true by a feed, goes on: it holds
 * nothing that it did not follow, and what is loaded from now on is kept true from its cursor on. A store whose
 * registry is damaged starts from nothing too: half a registry would not know what the rest means.
 */
export async function openScopeLedger(
  store: Store,
  filter: Filter,
  { holds: share, ...options }: ScopeLedgerOptions,
): Promise<Ledger> {
  const before = await filterOf(store);
  const mayGrow = share === 'some' && before?.narrows !== true;
  const within = before !== undefined && (mayGrow || containsFilter(before, filter));
  if (before !== undefined && !within && holds('R6 scopes')) await store.erase();
  const ledger = await Ledger.open({ ...options, store }).catch(async (error: unknown) => {
    if (!isMeridianError(error, 'DATA_LOSS')) throw error;
    await store.erase();
    options.edgeObserver.storeErased(error);
    return Ledger.open({ ...options, store });
  });
  // A store that was erased, for whichever reason, has no filter any more.
  const earlier = await filterOf(store);
  if (earlier !== undefined && filterKey(earlier) === filterKey(filter) && earlier.narrows !== true) return ledger;
  if (earlier !== undefined && within && (earlier.narrows === true || !containsFilter(filter, earlier))) {
    // Before any removal: if it breaks off it is done again; the wider scope, if asked for again, starts from nothing.
    await keepFilter(ledger, { ...filter, narrows: true });
    await removeRecords(ledger, {}, { sync: true, only: ({ namespace, key }) => !matches(filter, namespace, key) });
  }
  await keepFilter(ledger, filter);
  return ledger;
}

async function filterOf(store: Store): Promise<StoredFilter | undefined> {
  const stored = await store.meta(filterName);
  return stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString()) as StoredFilter);
}

async function keepFilter(ledger: Ledger, filter: StoredFilter): Promise<void> {
  const meta = new Map([[filterName, Buffer.from(JSON.stringify(filter))]]);
  await ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) });
}
