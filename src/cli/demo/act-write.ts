import { percentilesOf } from './percentiles.ts';
import { measurePropagation } from './propagation.ts';
import { milliseconds } from './region-table.ts';
import { claim, figuresOf, liveTitle, refreshStatus, type Stage, say } from './stage.ts';

const writes = 20;
const visibleWithinMs = 10_000;

/** Writes at the origin and sees each write arrive in every region. */
export async function writeAndSee(stage: Stage): Promise<void> {
  await say(stage, `writing ${writes} keys at the origin and waiting for each in every region`);
  for (let i = 0; i < writes; i++) await propagateOne(stage, `write-${i}`);
  for (const region of stage.cluster.regions) {
    const { propagationMs } = figuresOf(stage, region);
    const seen = percentilesOf(propagationMs);
    const text = `${region.name} showed ${propagationMs.length} of ${writes} writes, half of them within ${milliseconds(seen?.p50Ms ?? 0)}`;
    await claim(stage, text, propagationMs.length === writes);
  }
  await refreshStatus(stage);
  for (const region of stage.cluster.regions) {
    const { boundMs } = figuresOf(stage, region);
    const text = `${region.name} proves that it is at most ${boundMs === undefined ? '?' : milliseconds(boundMs)} behind`;
    await claim(stage, text, boundMs !== undefined && boundMs >= region.roundTripMs / 2);
  }
}

/** One write, and how long each region took to show it. True where all did. */
export async function propagateOne(stage: Stage, key: string, withinMs = visibleWithinMs): Promise<boolean> {
  const { cluster, atOrigin, clock, signal } = stage;
  const seen = await measurePropagation(key, {
    writer: atOrigin,
    regions: cluster.regions,
    title: liveTitle,
    clock,
    signal,
    withinMs,
  });
  for (const region of cluster.regions) {
    const elapsedMs = seen.find((one) => one.region === region.name)?.elapsedMs;
    const figures = figuresOf(stage, region);
    if (elapsedMs !== undefined) figures.propagationMs = [...figures.propagationMs, elapsedMs].slice(-1000);
  }
  return seen.every(({ elapsedMs }) => elapsedMs !== undefined);
}
