import { isMeridianError, MeridianError } from '../model/errors.ts';

export function storeFailed(cause?: unknown): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the store failed and is being opened again; the write may be lost', {
    reason: 'store-failed',
    retryAfterMs: 1000,
    ...(cause === undefined ? {} : { cause }),
  });
}

export function isDiskFull(error: unknown): boolean {
  return isMeridianError(error, 'RESOURCE_EXHAUSTED') && error.details.reason === 'disk-full';
}

/** The queue of reads was full: nothing was begun, and the store is sound. */
export function isBusy(error: unknown): boolean {
  return isMeridianError(error, 'RESOURCE_EXHAUSTED') && error.details.reason === 'store-busy';
}

export function closed(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the node is stopping', { reason: 'stopping' });
}
