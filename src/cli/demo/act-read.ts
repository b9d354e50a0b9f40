import type { Region } from './demo-cluster.ts';
import { percentilesOf } from './percentiles.ts';
import { readSample, spreadKeys } from './read-sample.ts';
import { milliseconds } from './region-table.ts';
import { countryOf, type SampleNamespace } from './sample-data.ts';
import { claim, figuresOf, type Stage, say } from './stage.ts';

const coldKeys = 20;
const hotRounds = 10;
const routeKeys = 200;
const originKeys = 15;

/** Reads everywhere: first cold, over the cable; then hot; then the same keys at the origin, for comparison. */
export async function readEverywhere(stage: Stage): Promise<void> {
  const { cluster } = stage;
  await say(stage, 'reading from an application in each region');
  const coldWrong = await Promise.all(cluster.regions.map((region) => readCold(stage, region)));
  const originWrong = await Promise.all(cluster.regions.map((region) => readAtOrigin(stage, region)));
  // One region after another, so that what is measured is the read and not the other regions' use of the machine.
  const hotWrong: number[] = [];
  for (const region of cluster.regions) hotWrong.push(await readHot(stage, region));
  const wrong = [...coldWrong, ...originWrong, ...hotWrong].reduce((sum, count) => sum + count, 0);
  await claim(stage, 'every read was answered with the value that was imported', wrong === 0);
  for (const region of cluster.regions) await compare(stage, region);
  await lookUp(stage, '8.8.8.8');
}

function cachedKeys(stage: Stage): Array<readonly [SampleNamespace, string[]]> {
  return stage.cached.map((sample) => [sample, spreadKeys(sample, coldKeys, 1)] as const);
}

async function readCold(stage: Stage, region: Region): Promise<number> {
  let wrong = 0;
  for (const [sample, keys] of cachedKeys(stage)) {
    const read = await readSample(region.atEdge, sample, keys, stage.clock, stage.signal);
    figuresOf(stage, region).coldMs = [...figuresOf(stage, region).coldMs, ...read.elapsedMs];
    wrong += read.wrong;
  }
  return wrong;
}

async function readAtOrigin(stage: Stage, region: Region): Promise<number> {
  let wrong = 0;
  for (const sample of [stage.routes, ...stage.cached]) {
    const keys = spreadKeys(sample, originKeys, 1);
    const read = await readSample(region.atOrigin, sample, keys, stage.clock, stage.signal);
    figuresOf(stage, region).originMs = [...figuresOf(stage, region).originMs, ...read.elapsedMs];
    wrong += read.wrong;
  }
  return wrong;
}

/** Reads what the region copies, and what it has cached. Tells how many answers were wrong. */
export async function readHot(stage: Stage, region: Region, rounds = hotRounds): Promise<number> {
  const elapsedMs: number[] = [];
  let wrong = 0;
  const reads: Array<readonly [SampleNamespace, string[]]> = [
    [stage.routes, spreadKeys(stage.routes, routeKeys, 1)],
    ...cachedKeys(stage),
  ];
  for (let round = 0; round < rounds; round++) {
    for (const [sample, keys] of reads) {
      const read = await readSample(region.atEdge, sample, keys, stage.clock, stage.signal);
      elapsedMs.push(...read.elapsedMs);
      wrong += read.wrong;
    }
  }
  figuresOf(stage, region).hotMs = elapsedMs;
  return wrong;
}

async function compare(stage: Stage, region: Region): Promise<void> {
  const { hotMs, originMs } = figuresOf(stage, region);
  const [hot, origin] = [percentilesOf(hotMs), percentilesOf(originMs)];
  if (hot === undefined || origin === undefined) return claim(stage, `${region.name} was measured`, false);
  const text = `${region.name} reads in ${milliseconds(hot.p50Ms)} at its edge, in ${milliseconds(origin.p50Ms)} at the origin`;
  await claim(stage, text, hot.p50Ms < origin.p50Ms && origin.p50Ms >= region.roundTripMs);
}

async function lookUp(stage: Stage, address: string): Promise<void> {
  const half = address.split('.').slice(0, 2).join('.');
  const region = stage.cluster.regions.at(-1);
  const answer = await region?.atEdge.namespace(stage.routes.title).getWithMetadata(half);
  const country = answer?.value == null ? undefined : countryOf(answer.value, address);
  const text = `${region?.name} looks up ${address} in its own copy of the routes: ${country ?? 'unknown'}`;
  await claim(stage, text, country !== undefined && answer?.source === 'copy');
}
