import { MeridianError } from '../../model/errors.ts';
import { closed, damaged } from '../store-errors.ts';

/** Puts LevelDB's errors into the store's own words. A MeridianError stays as it is. */
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

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
