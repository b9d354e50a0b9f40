import type { WriteOptions } from '../../client/call-options.ts';
import type { Namespace } from '../../client/namespace.ts';

/** Deletions of one batch, at the most. Keys have up to 512 bytes, so that a batch stays far below what one may have. */
const batchMax = 1000;

/** Deletes keys as they come, batch by batch; returns how many. One that was deleted meanwhile counts too. @throws as `write` */
export async function deleteKeys(
  namespace: Pick<Namespace, 'write'>,
  keys: AsyncIterable<{ readonly name: string }>,
  options: WriteOptions,
): Promise<number> {
  let deleted = 0;
  let batch: string[] = [];
  const flush = async () => {
    if (batch.length === 0) return;
    await namespace.write(
      batch.map((key) => ({ kind: 'delete', key })),
      options,
    );
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
