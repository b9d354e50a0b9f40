import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { FileLock } from '../../runtime/file-lock.ts';

/** Beside the file that it is for; by a name that nobody else gives to a file. */
export function lockOf(path: string): string {
  return `${path}.meridian-lock`;
}

/**
 * Runs while this process alone writes these files: a second transfer with the same ones would go on from the first
 * one's place, or write over its records. A process that is killed keeps nobody out (see FileLock).
 * @throws FAILED_PRECONDITION where another process has one of them; what `run` throws
 */
export async function withTransferLock<T>(paths: readonly string[], clock: Clock, run: () => Promise<T>): Promise<T> {
  const [path, ...others] = paths;
  if (path === undefined) return run();
  // In a folder where nothing can be made there is no checkpoint either; what cannot be written says so itself.
  const outcome = await FileLock.take(lockOf(path), clock).catch(() => undefined);
  if (outcome === undefined) return withTransferLock(others, clock, run);
  if (outcome.kind === 'held') {
    const { pid, host } = outcome.holder;
    const message = `process ${pid} on ${host} writes ${path} already: wait for its end, or give this one a file of its own`;
    throw new MeridianError('FAILED_PRECONDITION', message, { reason: 'transfer-elsewhere' });
  }
  try {
    return await withTransferLock(others, clock, run);
  } finally {
    await outcome.lock.release();
  }
}
