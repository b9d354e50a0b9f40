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

/** A read found no room in line: nothing was begun, and nothing is wrong with the store. */
export function isBusy(error: unknown): boolean {
  return isMeridianError(error, 'RESOURCE_EXHAUSTED') && error.details.reason === 'store-busy';
}

export function closed(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the node is stopping', { reason: 'stopping' });
}
