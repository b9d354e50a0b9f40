import type { CommandContext } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { goOn } from './act-go-on.ts';
import { importAndCatchUp } from './act-import.ts';
import { surviveOutage } from './act-outage.ts';
import { readEverywhere } from './act-read.ts';
import { writeAndSee } from './act-write.ts';
import { DemoCluster } from './demo-cluster.ts';
import { Findings } from './findings.ts';
import { noFigures } from './region-table.ts';
import { originPlace, regionPlans } from './regions.ts';
import { sampleData } from './sample-data.ts';
import { type Stage, say, tableOf } from './stage.ts';

/**
 * A cluster over three regions on this machine, with the distances between them, on real data: what it is good for, in
 * figures. With `once` it ends by itself: done where all that it claims was seen, failed otherwise.
 */
export async function runDemo(once: boolean, context: CommandContext): Promise<ExitCode> {
  const { terminal, clock } = context;
  const signal = terminal.stopped;
  const [routes, ...cached] = sampleData();
  if (routes === undefined) throw new Error('the demo has no data');
  const cluster = await DemoCluster.make(context);
  try {
    const { name, region } = originPlace;
    const distances = regionPlans.map((plan) => `${plan.name} ${plan.roundTripMs} ms`).join(', ');
    await say({ terminal }, `starting the origin ${name} in ${region}; round trips to the edges: ${distances}`);
    const atOrigin = await cluster.startOrigin();
    const figures = new Map(regionPlans.map((plan) => [plan.name, noFigures()]));
    const findings = new Findings();
    const stage: Stage = { terminal, clock, signal, cluster, atOrigin, routes, cached, findings, figures };
    for (const act of [importAndCatchUp, readEverywhere, writeAndSee]) await act(stage);
    await terminal.write(`\n${tableOf(stage)}\n`);
    await surviveOutage(stage);
    await conclude(stage);
    if (!once) await goOn(stage);
    return findings.failed.length === 0 ? exitCodes.done : exitCodes.failed;
  } catch (error) {
    // The user said stop: that is how a demo that stays up ends.
    if (signal.aborted) return once ? exitCodes.stopped : exitCodes.done;
    throw error;
  } finally {
    await cluster.stop();
  }
}

async function conclude(stage: Stage): Promise<void> {
  const { failed, count } = stage.findings;
  if (failed.length === 0) return say(stage, `all ${count} claims held`);
  await say(stage, `${failed.length} of ${count} claims did not hold:`);
  for (const { claim } of failed) await say(stage, `  ${claim}`);
}
