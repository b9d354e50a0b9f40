import { MeridianError } from '../model/errors.ts';

/** What is stored is not what was written. */
export function damaged(what: string, cause?: unknown): MeridianError {
  return new MeridianError('DATA_LOSS', `the store is damaged: ${what}`, { reason: 'store-damaged', cause });
}

/** The store, or the snapshot that is read, was closed. */
export function closed(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the store, or this snapshot of it, is closed', { reason: 'store-closed' });
}

/** Rule R2: after a commit that failed, it is unknown what reached the disk. */
export function failed(cause: unknown): MeridianError {
  return new MeridianError('UNAVAILABLE', 'a commit failed: the store takes nothing more until it is opened again', {
    reason: 'store-failed',
    cause,
  });
}
