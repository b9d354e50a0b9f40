import type { LogId } from '../model/position.ts';
import type { Ledger } from './ledger.ts';

/**
 * The logs of which the store may hold records, and that no record of the registry names. Either a scan brought them,
 * broke off before the record of the log, and the log went with the server's disk meanwhile; or that record is still to
 * come.
 */
export async function unknownLogs({ store, registry }: Pick<Ledger, 'store' | 'registry'>): Promise<readonly LogId[]> {
  const snapshot = store.snapshot();
  try {
    return (await snapshot.logs()).filter((log) => registry.logs.get(log) === undefined);
  } finally {
    await snapshot.close();
  }
}
