import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { SampleNamespace } from './sample-data.ts';

/** What reading a number of keys came to. */
export interface ReadFigures {
  readonly elapsedMs: readonly number[];
  /** Answers that differ from what was imported, and reads that failed. */
  readonly wrong: number;
  readonly bySource: Readonly<Record<string, number>>;
  /** Seconds: the greatest proven bound among the answers; unset where one was unknown. */
  readonly boundSeconds: number | undefined;
}

/** Reads the keys one after another, as one application does, and compares each value with the one imported. */
export async function readSample(
  cluster: ClusterHandle,
  sample: SampleNamespace,
  keys: readonly string[],
  clock: Clock,
  signal: AbortSignal,
): Promise<ReadFigures> {
  const namespace = cluster.namespace(sample.title);
  const elapsedMs: number[] = [];
  const bySource: Record<string, number> = {};
  const bounds: number[] = [];
  let wrong = 0;
  for (const key of keys) {
    signal.throwIfAborted();
    const beganMs = clock.monotonicMs();
    const answer = await namespace.getWithMetadata(key).catch(() => undefined);
    elapsedMs.push(clock.monotonicMs() - beganMs);
    if (answer?.value !== sample.entries.get(key)) wrong++;
    if (answer === undefined) continue;
    bySource[answer.source] = (bySource[answer.source] ?? 0) + 1;
    if (answer.staleness !== null) bounds.push(answer.staleness);
  }
  const known = bounds.length === keys.length && keys.length > 0;
  return { elapsedMs, wrong, bySource, boundSeconds: known ? Math.max(...bounds) : undefined };
}

/** Keys spread evenly over a namespace: every n-th, starting with one of the first. */
export function spreadKeys({ entries }: SampleNamespace, count: number, from: number): string[] {
  const keys = [...entries.keys()];
  const step = Math.max(1, Math.floor(keys.length / count));
  return Array.from({ length: Math.min(count, keys.length) }, (_, i) => keys[(from + i * step) % keys.length] ?? '');
}
