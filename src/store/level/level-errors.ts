import { MeridianError } from '../../model/errors.ts';

/** The store's own words for what LevelDB throws. Whatever is a MeridianError already stays what it is. */
export function storeError(error: unknown): MeridianError {
  if (error instanceof MeridianError) return error;
  const innermost = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = innermost instanceof Error ? innermost.message : String(innermost);
  switch (codeOf(innermost)) {
    case 'LEVEL_LOCKED':
      return new MeridianError(
        'UNAVAILABLE',
        `another process has this store open: only one may use a data folder (${message})`,
        { reason: 'store-locked', cause: error },
      );
    case 'LEVEL_CORRUPTION':
      return damaged(message, error);
    case 'LEVEL_DATABASE_NOT_OPEN':
    case 'LEVEL_ITERATOR_NOT_OPEN':
    case 'LEVEL_SNAPSHOT_NOT_OPEN':
      return closed();
    default:
      return new MeridianError('INTERNAL', `the store failed: ${message}`, { reason: 'store-failed', cause: error });
  }
}

/** What is stored is not what was written. */
export function damaged(what: string, cause?: unknown): MeridianError {
  return new MeridianError('DATA_LOSS', `the store is damaged: ${what}`, { reason: 'store-damaged', cause });
}

/** The store, or the snapshot that is read, was closed. */
export function closed(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the store, or this snapshot of it, is closed', { reason: 'store-closed' });
}

/** Rule R2: after a commit that failed, nobody knows what reached the disk. */
export function failed(cause: unknown): MeridianError {
  return new MeridianError('UNAVAILABLE', 'a commit failed: the store takes nothing more until it is opened again', {
    reason: 'store-failed',
    cause,
  });
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
