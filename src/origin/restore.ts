import { MeridianError } from '../model/errors.ts';
import type { FeedEvent } from '../model/feed.ts';
import { everything } from '../model/filter.ts';
import { copyProgressName, Replica } from '../replication/following/replica.ts';
import { Ledger } from '../replication/ledger.ts';
import { decodeLedgerState, ledgerStateName } from '../replication/ledger-state.ts';
import { readIdentity } from './membership/identity.ts';
import type { OriginOptions } from './origin-options.ts';
import { foundOver } from './rebuild.ts';

export interface RestoreOptions extends OriginOptions {
  /** The cluster that the backup was taken of. */
  readonly clusterId: string;
  /** What the feed sent: all records, and what came later, each part up to a point where it was whole. */
  readonly events: AsyncIterable<FeedEvent>;
  /** Called with the number of records that were taken. */
  readonly received: (records: number) => void;
}

/**
 * Fills an empty store with what a backup holds. Records keep their stamps, and the cluster its id. In one act every
 * earlier member is removed and its logs are sealed at what the backup covers, so that edges and members which have
 * more give it up: a member that comes back keeps it apart in a file. Afterwards the store is opened as any origin's.
 * @throws FAILED_PRECONDITION if the store holds anything but a restore that broke off; DATA_LOSS if the backup is not
 * whole
 */
export async function restoreStore(options: RestoreOptions): Promise<void> {
  const { stores, clusterId, events, clock, observer, received } = options;
  await eraseUnfinished(options);
  const ledger = await Ledger.open({ ...options, store: stores.store });
  try {
    const replica = await Replica.open({ ledger, clock, observer, scope: 'restore', filter: everything });
    await replica.start();
    for await (const event of events) {
      if (event.kind === 'opened' || event.kind === 'echo') continue;
      await replica.apply(event);
      if (event.kind === 'changes') received(event.records.length);
    }
    if (!replica.hasCaughtUp)
      throw new MeridianError('DATA_LOSS', 'the backup is not whole', { reason: 'backup-damaged' });
    await foundOver(ledger, { ...options, clusterId, undoes: true });
  } finally {
    await ledger.close();
  }
}

/** Erases a restore that broke off: it has no identity yet. @throws FAILED_PRECONDITION */
async function eraseUnfinished({ stores: { store } }: RestoreOptions): Promise<void> {
  const identity = await readIdentity(store);
  const progress = await store.meta(copyProgressName);
  if (identity === undefined && progress !== undefined) return store.erase();
  const { covered } = decodeLedgerState(await store.meta(ledgerStateName));
  if (identity === undefined && covered.size === 0) return;
  throw new MeridianError(
    'FAILED_PRECONDITION',
    'a backup is restored into an empty folder, and this one holds records',
    {
      reason: 'store-not-empty',
    },
  );
}
