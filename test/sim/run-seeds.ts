import { Coverage } from './coverage.ts';
import type { Topology } from './nodes/topology.ts';
import { Simulation } from './simulation.ts';

export interface SeedsAsked {
  readonly from: number;
  readonly seeds: number;
  /** One origin where none is named. */
  readonly topology?: Topology | undefined;
  readonly write: (line: string) => void;
  /** Told now and then how many more were run. */
  readonly progress?: (seeds: number) => void;
  /** Ends with the first seed that fails like this; other failures are passed over, and no trace is written. */
  readonly until?: RegExp;
}

export interface SeedsRun {
  readonly failing: readonly number[];
  readonly coverage: Coverage;
}

/** Seeds between two reports of progress. */
const progressSeeds = 50;

/** Runs so many seeds; writes each that fails as it comes, the first with its trace. */
export async function runSeeds({ from, seeds, topology, write, progress, until }: SeedsAsked): Promise<SeedsRun> {
  const failing: number[] = [];
  const coverage = new Coverage();
  for (let seed = from; seed < from + seeds; seed++) {
    const simulation = new Simulation(seed, { topology });
    const { violations } = await simulation.run();
    coverage.add(simulation.coverage);
    if ((seed - from + 1) % progressSeeds === 0) progress?.(progressSeeds);
    const found = violations.find((line) => until?.test(line) ?? true);
    if (found === undefined) continue;
    if (until === undefined && failing.length === 0) {
      const { trace } = await new Simulation(seed, { topology, detailed: true }).run();
      for (const line of trace) write(line);
    }
    failing.push(seed);
    write(`seed ${seed} fails: ${found} (${violations.length} in all)`);
    if (until !== undefined) break;
  }
  return { failing, coverage };
}
