import { MeridianError } from './errors.ts';
import { limits } from './limits.ts';

/** Throws INVALID_ARGUMENT unless a page of a list has 1 to 1000 keys. */
export function checkListLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= limits.listKeysMax) return;
  throw new MeridianError('INVALID_ARGUMENT', `a list's limit is 1 to ${limits.listKeysMax}, not ${limit}`, {
    reason: 'bad-limit',
    limit: limits.listKeysMax,
    seen: limit,
  });
}
