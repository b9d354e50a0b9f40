import type { BatchMutation } from '../../client/batch-write.ts';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { SampleNamespace } from './sample-data.ts';

/** Records and bytes of one write: well within the limits of a batch. */
const batchRecordsMax = 1000;
const batchBytesMax = 1024 * 1024;

/** Creates the namespace and writes every entry. Resolves when all are acknowledged: on the origin's disk. */
export async function importSample(
  cluster: ClusterHandle,
  sample: SampleNamespace,
  signal: AbortSignal,
): Promise<void> {
  await cluster.namespaces.create(sample.title, { signal });
  const namespace = cluster.namespace(sample.title);
  let batch: BatchMutation[] = [];
  let bytes = 0;
  for (const [key, value] of sample.entries) {
    batch.push({ kind: 'put', key, value });
    bytes += value.length;
    if (batch.length < batchRecordsMax && bytes < batchBytesMax) continue;
    await namespace.write(batch, { signal });
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) await namespace.write(batch, { signal });
}
