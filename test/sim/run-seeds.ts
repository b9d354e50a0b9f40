import { Coverage } from './coverage.ts';
import type { Topology } from './nodes/topology.ts';
import { Simulation } from './simulation.ts';

export interface SeedsAsked {
  readonly from: number;
  readonly seeds: number;
  /** Each seed is run in each. */
  readonly topologies: readonly Topology[];
  readonly write: (line: string) => void;
  /** Told now and then how many more were run. */
  readonly progress?: (seeds: number) => void;
  /** Ends with the first seed that fails like this; other failures are passed over, and no trace is written. */
  readonly until?: RegExp;
}

export interface SeedsRun {
  /** `TOPOLOGY SEED` of each that failed. */
  readonly failing: readonly string[];
  readonly coverage: Coverage;
}

/** Seeds between two reports of progress. */
const progressSeeds = 50;

/** Runs so many seeds; writes each that fails as it comes, the first with its trace. */
export async function runSeeds({ from, seeds, topologies, write, progress, until }: SeedsAsked): Promise<SeedsRun> {
  const failing: string[] = [];
  const coverage = new Coverage();
  for (let seed = from; seed < from + seeds; seed++) {
    for (const topology of topologies) {
      const simulation = new Simulation(seed, { topology });
      const { violations } = await simulation.run();
      coverage.add(simulation.coverage);
      const found = violations.find((line) => until?.test(line) ?? true);
      if (found === undefined) continue;
      if (until === undefined && failing.length === 0) {
        const { trace } = await new Simulation(seed, { topology, detailed: true }).run();
        for (const line of trace) write(line);
      }
      failing.push(`${topology.name} ${seed}`);
      write(`seed ${seed} of ${topology.name} fails: ${found} (${violations.length} in all)`);
      if (until !== undefined) return { failing, coverage };
    }
    if ((seed - from + 1) % progressSeeds === 0) progress?.(progressSeeds);
  }
  return { failing, coverage };
}
