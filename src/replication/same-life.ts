import { MeridianError } from '../model/errors.ts';
import type { Ledger } from './ledger.ts';

/**
 * Ends a stream that was begun before the store was opened again (rule R2): what it applied may be gone with the
 * commits that were not synced, and its next step would claim to cover that. @throws UNAVAILABLE
 */
export function checkSameLife(ledger: Pick<Ledger, 'reopenings'>, reopenings: number): void {
  if (ledger.reopenings === reopenings) return;
  throw new MeridianError('UNAVAILABLE', 'the store was opened again; the stream begins anew from what it holds', {
    reason: 'store-failed',
  });
}
