import type { WriteOptions } from '../../client/call-options.ts';
import type { Namespace } from '../../client/namespace.ts';
import type { Durability } from '../../model/key-value.ts';
import { patiently } from './patiently.ts';
import type { Reading } from './read-patiently.ts';

/** Deletions of one batch, at the most. Keys have up to 512 bytes, so that a batch stays far below what one may have. */
const batchMax = 1000;

export interface PrefixDeletion {
  readonly write: WriteOptions;
  readonly reading: Reading;
  /** Told of the level of durability of each batch. */
  readonly reached: (level: Durability) => void;
}

/**
 * Deletes keys as they come, batch by batch; returns how many. One that was deleted meanwhile counts too. What is written to
 * them meanwhile may be deleted as well, so that a batch whose outcome is unknown may be deleted again.
 * @throws as `write`, where that does not pass in time
 */
export async function deleteKeys(
  namespace: Pick<Namespace, 'write'>,
  keys: AsyncIterable<{ readonly name: string }>,
  { write, reading: { signal, ...patience }, reached }: PrefixDeletion,
): Promise<number> {
  let deleted = 0;
  let batch: string[] = [];
  const flush = async () => {
    if (batch.length === 0) return;
    const deletions = batch.map((key) => ({ kind: 'delete', key }) as const);
    const { durability } = await patiently(() => namespace.write(deletions, { ...write, signal }), patience, signal);
    reached(durability);
    deleted += batch.length;
    batch = [];
  };
  for await (const { name } of keys) {
    batch.push(name);
    if (batch.length === batchMax) await flush();
  }
  await flush();
  return deleted;
}
