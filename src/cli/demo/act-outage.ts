import { sleep } from '../../runtime/clock.ts';
import { readHot } from './act-read.ts';
import { propagateOne } from './act-write.ts';
import { milliseconds } from './region-table.ts';
import { claim, figuresOf, refreshStatus, type Stage, say } from './stage.ts';

const outageMs = 4_000;
const backWithinMs = 30_000;

/** Kills the origin, reads on in every region, brings it up again and sees a write arrive. */
export async function surviveOutage(stage: Stage): Promise<void> {
  const { cluster, clock, signal } = stage;
  await say(stage, 'killing the origin (SIGKILL) and reading on');
  const before = new Map(cluster.regions.map((region) => [region.name, figuresOf(stage, region).boundMs ?? 0]));
  await cluster.origin.kill();
  const untilMs = clock.monotonicMs() + outageMs;
  const wrong = new Map<string, number>();
  const reads = new Map<string, number>();
  do {
    for (const region of cluster.regions) {
      wrong.set(region.name, (wrong.get(region.name) ?? 0) + (await readHot(stage, region, 1)));
      reads.set(region.name, (reads.get(region.name) ?? 0) + figuresOf(stage, region).hotMs.length);
    }
    await sleep(clock, 100, signal);
  } while (clock.monotonicMs() < untilMs);
  await refreshStatus(stage);
  for (const region of cluster.regions) {
    const { boundMs } = figuresOf(stage, region);
    const age = boundMs === undefined ? 'of unknown age' : `at most ${milliseconds(boundMs)} old`;
    const text = `${region.name} answered all of ${reads.get(region.name)} reads without the origin, saying ${age}`;
    const honest = boundMs === undefined || boundMs > Math.max(before.get(region.name) ?? 0, outageMs / 2);
    await claim(stage, text, wrong.get(region.name) === 0 && honest);
  }
  await comeBack(stage);
}

async function comeBack(stage: Stage): Promise<void> {
  const { cluster, clock } = stage;
  await say(stage, 'starting the origin again over the same folder');
  const beganMs = clock.monotonicMs();
  await cluster.startOrigin();
  const seen = await propagateOne(stage, 'after-the-outage', backWithinMs);
  // That took as long as the origin needed to come back, and says nothing of how fast writes travel.
  for (const region of cluster.regions) {
    const figures = figuresOf(stage, region);
    figures.propagationMs = figures.propagationMs.slice(0, -1);
  }
  const seconds = ((clock.monotonicMs() - beganMs) / 1000).toFixed(1);
  await claim(stage, `${seconds} s later a new write is visible in every region`, seen);
  await claim(stage, 'every region proves its staleness again', await provenAgain(stage));
}

/** Each scope of each edge follows by itself, and comes back after a back-off of its own. */
async function provenAgain(stage: Stage): Promise<boolean> {
  const { cluster, clock, signal } = stage;
  const deadlineMs = clock.monotonicMs() + backWithinMs;
  while (clock.monotonicMs() < deadlineMs) {
    await refreshStatus(stage);
    const bounds = cluster.regions.map((region) => figuresOf(stage, region).boundMs);
    if (bounds.every((bound) => bound !== undefined && bound < outageMs / 2)) return true;
    await sleep(clock, 50, signal);
  }
  return false;
}
