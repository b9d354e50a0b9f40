import { type ErrorCode, MeridianError } from '../model/errors.ts';
import { UsageError } from './usage-error.ts';

/** Of a path that cannot be what was meant: the command line is to be mended. */
const wrongPaths: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENAMETOOLONG', 'ELOOP']);

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'RESOURCE_EXHAUSTED',
  EDQUOT: 'RESOURCE_EXHAUSTED',
  EFBIG: 'RESOURCE_EXHAUSTED',
  EMFILE: 'RESOURCE_EXHAUSTED',
  ENFILE: 'RESOURCE_EXHAUSTED',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
};

/**
 * What the system refused to do with a file: wrong usage where the path names nothing that could be meant; else a failure
 * of the operation, which the same words may not have another time: a full disk, say.
 * @param what which file it was, and what could not be done with it
 */
export function systemFailure(what: string, cause: unknown): UsageError | MeridianError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = what === '' ? why : `${what}: ${why}`;
  const code = systemCode(cause) ?? '';
  if (wrongPaths.has(code)) return new UsageError(message, cause);
  return new MeridianError(codes[code] ?? 'UNAVAILABLE', message, { reason: 'file-system', cause });
}

/** Such as ENOSPC; undefined of what is no failure of the system. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code !== undefined && syscall !== undefined ? code : undefined;
}
