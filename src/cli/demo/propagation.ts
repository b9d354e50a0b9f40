import type { ClusterHandle } from '../../client/cluster-handle.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Region } from './demo-cluster.ts';

export interface Propagation {
  readonly region: string;
  /** From before the put at the origin until the region's edge answered with it; unset where it never did. */
  readonly elapsedMs: number | undefined;
}

export interface PropagationOptions {
  readonly writer: ClusterHandle;
  readonly regions: readonly Region[];
  readonly title: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds after which a region counts as not reached. */
  readonly withinMs: number;
}

const pollMs = 1;

/** Writes one key at the origin and reads it in every region until it is there. */
export async function measurePropagation(key: string, options: PropagationOptions): Promise<readonly Propagation[]> {
  const { writer, regions, title, clock } = options;
  const beganMs = clock.monotonicMs();
  const value = `${key} at ${beganMs}`;
  const seen = regions.map(async (region) => ({
    region: region.name,
    elapsedMs: await visibleAfterMs(region.atEdge, { key, value, beganMs }, options),
  }));
  await writer.namespace(title).put(key, value);
  return Promise.all(seen);
}

async function visibleAfterMs(
  edge: ClusterHandle,
  { key, value, beganMs }: { readonly key: string; readonly value: string; readonly beganMs: number },
  { title, clock, signal, withinMs }: PropagationOptions,
): Promise<number | undefined> {
  const namespace = edge.namespace(title);
  while (clock.monotonicMs() - beganMs < withinMs) {
    const found = await namespace.get(key).catch(() => null);
    if (found === value) return clock.monotonicMs() - beganMs;
    await sleep(clock, pollMs, signal);
  }
  return undefined;
}
