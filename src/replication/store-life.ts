import { MeridianError } from '../model/errors.ts';
import type { Ledger } from './ledger.ts';

/** The opening of its store that a followed stream was begun in: what it applied may be gone with that (rule R2). */
export class StoreLife {
  readonly #ledger: Pick<Ledger, 'reopenings'>;
  #reopenings: number;

  constructor(ledger: Pick<Ledger, 'reopenings'>) {
    this.#ledger = ledger;
    this.#reopenings = ledger.reopenings;
  }

  /** False once the store was opened again. */
  get isCurrent(): boolean {
    return this.#ledger.reopenings === this.#reopenings;
  }

  /** A stream begins. True where the store was opened again since the one before: what was read from it is read anew. */
  renew(): boolean {
    const isNew = !this.isCurrent;
    this.#reopenings = this.#ledger.reopenings;
    return isNew;
  }

  /**
   * Ends a stream that was begun before the store was opened again: its next step would claim to cover what went with
   * the commits that were not synced. @throws UNAVAILABLE
   */
  check(): void {
    if (this.isCurrent) return;
    throw new MeridianError('UNAVAILABLE', 'the store was opened again; the stream begins anew from what it holds', {
      reason: 'store-failed',
    });
  }
}
