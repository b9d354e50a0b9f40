import { sleep } from '../../runtime/clock.ts';
import { importSample } from './import-sample.ts';
import { claim, figuresOf, liveTitle, refreshStatus, type Stage, say } from './stage.ts';

const caughtUpWithinMs = 60_000;

/** Imports the data at the origin, starts the regions, and waits until each has caught up. */
export async function importAndCatchUp(stage: Stage): Promise<void> {
  const { clock, signal, atOrigin, cluster, routes, cached } = stage;
  let records = 0;
  const beganMs = clock.monotonicMs();
  for (const sample of [routes, ...cached]) {
    await importSample(atOrigin, sample, signal);
    records += sample.entries.size;
    await say(stage, `  imported ${sample.title}: ${sample.entries.size} records (${sample.about})`);
  }
  const seconds = (clock.monotonicMs() - beganMs) / 1000;
  await say(stage, `  ${records} records on the origin's disk after ${seconds.toFixed(1)} s`);
  await atOrigin.namespaces.create(liveTitle, { signal });

  await say(stage, `starting three edges that copy ${routes.title} and ${liveTitle} and cache the rest`);
  const startedMs = clock.monotonicMs();
  await cluster.startRegions([routes.title, liveTitle]);
  const caughtUp = await allCaughtUp(stage);
  const took = ((clock.monotonicMs() - startedMs) / 1000).toFixed(1);
  await claim(stage, `every edge started, copied ${routes.entries.size} records and caught up (${took} s)`, caughtUp);
}

async function allCaughtUp(stage: Stage): Promise<boolean> {
  const { clock, signal, cluster } = stage;
  const deadlineMs = clock.monotonicMs() + caughtUpWithinMs;
  while (clock.monotonicMs() < deadlineMs) {
    await refreshStatus(stage);
    if (cluster.regions.every((region) => figuresOf(stage, region).boundMs !== undefined)) return true;
    await sleep(clock, 50, signal);
  }
  return false;
}
