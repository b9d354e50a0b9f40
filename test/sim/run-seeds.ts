import { Simulation } from './simulation.ts';

/** Runs seeds from `SIM_FROM` on, `SIM_SEEDS` of them; prints each that fails, the first with its trace. */
export async function runSeeds(from: number, seeds: number, write: (line: string) => void): Promise<number[]> {
  const failing: number[] = [];
  for (let seed = from; seed < from + seeds; seed++) {
    const { violations, trace } = await new Simulation(seed).run();
    if (violations.length === 0) continue;
    if (failing.length === 0) for (const line of trace) write(line);
    failing.push(seed);
    write(`seed ${seed} fails: ${violations[0]} (${violations.length} in all)`);
  }
  return failing;
}
