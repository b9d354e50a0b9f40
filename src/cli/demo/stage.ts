import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Terminal } from '../terminal.ts';
import type { DemoCluster, Region } from './demo-cluster.ts';
import type { Findings } from './findings.ts';
import { type RegionFigures, regionTable } from './region-table.ts';
import type { SampleNamespace } from './sample-data.ts';

/** What the acts of the demo share. */
export interface Stage {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly cluster: DemoCluster;
  /** An application beside the origin. */
  readonly atOrigin: ClusterHandle;
  /** Copied by every edge. */
  readonly routes: SampleNamespace;
  /** Cached by every edge. */
  readonly cached: readonly SampleNamespace[];
  readonly findings: Findings;
  readonly figures: ReadonlyMap<string, RegionFigures>;
}

/** The namespace that the demo writes while it runs; every edge copies it. */
export const liveTitle = 'flags';

export function say(stage: Pick<Stage, 'terminal'>, line: string): Promise<void> {
  return stage.terminal.write(`${line}\n`);
}

/** Notes whether a claim held, and says so. */
export async function claim(stage: Stage, text: string, held: boolean): Promise<void> {
  stage.findings.add(text, held);
  await say(stage, `  ${held ? 'ok  ' : 'FAIL'} ${text}`);
}

export function figuresOf(stage: Stage, region: Region): RegionFigures {
  const figures = stage.figures.get(region.name);
  if (figures === undefined) throw new Error(`no figures of ${region.name}`);
  return figures;
}

export function tableOf(stage: Stage): string {
  return regionTable(stage.cluster.regions.map((region) => [region, figuresOf(stage, region)]));
}

/** Asks every edge for its proven bound and hit rate. An edge that does not answer has neither. */
export async function refreshStatus(stage: Stage): Promise<void> {
  await Promise.all(
    stage.cluster.regions.map(async (region) => {
      const status = await region.atEdge.status({ timeoutMs: 2_000 }).catch(() => undefined);
      const bounds = status?.scopes.map(({ boundMs }) => boundMs) ?? [undefined];
      const figures = figuresOf(stage, region);
      figures.boundMs = bounds.some((bound) => bound === undefined)
        ? undefined
        : Math.max(...bounds.filter((bound) => bound !== undefined));
      figures.hitRate = status?.hitRate;
    }),
  );
}
