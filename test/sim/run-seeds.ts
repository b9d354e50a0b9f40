import { Coverage } from './coverage.ts';
import { Simulation } from './simulation.ts';

export interface SeedsRun {
  readonly failing: readonly number[];
  readonly coverage: Coverage;
}

/** Seeds between two reports of progress. */
const progressSeeds = 50;

/** Runs so many seeds; writes each that fails as it comes, the first with its trace. */
export async function runSeeds(
  from: number,
  seeds: number,
  write: (line: string) => void,
  { progress = () => {} }: { readonly progress?: (seeds: number) => void } = {},
): Promise<SeedsRun> {
  const failing: number[] = [];
  const coverage = new Coverage();
  for (let seed = from; seed < from + seeds; seed++) {
    const simulation = new Simulation(seed);
    const { violations } = await simulation.run();
    coverage.add(simulation.coverage);
    if ((seed - from + 1) % progressSeeds === 0) progress(progressSeeds);
    if (violations.length === 0) continue;
    if (failing.length === 0) {
      const { trace } = await new Simulation(seed, { detailed: true }).run();
      for (const line of trace) write(line);
    }
    failing.push(seed);
    write(`seed ${seed} fails: ${violations[0]} (${violations.length} in all)`);
  }
  return { failing, coverage };
}
