import type { LogId } from '../model/position.ts';
import type { Ledger } from './ledger.ts';

/**
 * The logs that the store may hold something of, and that no record of the registry names: they came by a scan that broke
 * off before the record of the log, and that went with the server's disk meanwhile; or it is still to come.
 */
export async function unknownLogs({ store, registry }: Pick<Ledger, 'store' | 'registry'>): Promise<readonly LogId[]> {
  const snapshot = store.snapshot();
  try {
    return (await snapshot.logs()).filter((log) => registry.logs.get(log) === undefined);
  } finally {
    await snapshot.close();
  }
}
