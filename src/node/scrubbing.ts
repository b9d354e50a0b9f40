import { toMeridianError } from '../model/errors.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ScrubbedStore } from '../store/level-store.ts';

export interface ScrubbingOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes a second; 0 = never. */
  readonly bytesPerSecond: number;
}

/** Between two steps at least, so that a small store is not read over and over. */
const restMs = 1_000;
/** After a round: data that nobody touches decays slowly. */
const roundRestMs = 60_000;

/**
 * Verifies a store's tables for as long as it is open, slowly: LevelDB itself believes whatever the disk says. Ends when
 * the signal is aborted.
 */
export async function scrubForEver(
  store: ScrubbedStore,
  options: ScrubbingOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock, logger, bytesPerSecond } = options;
  let told = store.condition().damagedRecords;
  while (bytesPerSecond > 0 && !signal.aborted) {
    let waitMs = roundRestMs;
    try {
      const { bytes, damage, roundDone } = await store.scrub();
      const { damagedRecords } = store.condition();
      if (damage !== undefined) logger.log('error', 'the store is damaged', { damage, damagedRecords });
      else if (damagedRecords > told) logger.log('error', 'records of the store are damaged', { damagedRecords });
      told = damagedRecords;
      waitMs = Math.max(restMs, (bytes / bytesPerSecond) * 1000) + (roundDone ? roundRestMs : 0);
    } catch (error) {
      const { code, message } = toMeridianError(error);
      logger.log('error', 'the store could not be verified', { code, error: message });
    }
    await sleep(clock, waitMs, signal).catch(() => {}); // Aborted: the loop ends.
  }
}
