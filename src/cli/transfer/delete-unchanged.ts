import type { WriteOptions } from '../../client/call-options.ts';
import type { Namespace } from '../../client/namespace.ts';
import { isMeridianError } from '../../model/errors.ts';
import { type Patience, patiently } from './patiently.ts';

/** A key as it was read. */
export interface ReadVersion {
  readonly key: string;
  readonly version: string;
}

export interface UnchangedDeletion extends Patience {
  readonly write: WriteOptions;
  readonly signal: AbortSignal;
}

/**
 * Deletes keys that still have the version that was read of them; returns those that have another one, or none, by now. A
 * batch is refused whole where one of its conditions is not met, so it is tried again in halves, down to that key.
 * @throws as `write`, where that does not pass in time
 */
export async function deleteUnchanged(
  namespace: Pick<Namespace, 'write'>,
  keys: readonly ReadVersion[],
  options: UnchangedDeletion,
  mayBeDone = false,
): Promise<readonly string[]> {
  const [first] = keys;
  if (first === undefined) return [];
  const { write, signal } = options;
  const mutations = keys.map(({ key, version }) => ({ kind: 'delete', key, ifVersion: version }) as const);
  let attempts = 0;
  const attempt = () => {
    attempts++;
    return namespace.write(mutations, { ...write, signal });
  };
  try {
    await patiently(attempt, options, signal);
    return [];
  } catch (error) {
    if (!isMeridianError(error, 'FAILED_PRECONDITION') || error.details.reason !== 'condition-not-met') throw error;
    // The answer to an earlier attempt may have been lost: then a key that is gone is its own doing.
    const isDone = mayBeDone || attempts > 1;
    if (keys.length === 1) return isDone && error.details.versionFound === undefined ? [] : [first.key];
    const half = Math.ceil(keys.length / 2);
    return [
      ...(await deleteUnchanged(namespace, keys.slice(0, half), options, isDone)),
      ...(await deleteUnchanged(namespace, keys.slice(half), options, isDone)),
    ];
  }
}
