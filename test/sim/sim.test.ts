import { describe, expect, it } from 'vitest';
import { engineOrigin, oneOrigin, topologies } from './nodes/topology.ts';
import { runSeeds } from './run-seeds.ts';
import { Simulation } from './simulation.ts';

/** Each is some seconds of this machine's time. `npm run sim` runs as many as one likes. */
const seedsOf: Readonly<Record<string, number>> = { one: 8, several: 6, relays: 6, damaged: 6, lone: 6, engine: 6 };

describe('origins, relays, copies and caches, under faults', () => {
  it.each(topologies.map((topology) => [topology.name, topology] as const))(
    'keep every promise for a range of seeds, in the topology %s',
    { timeout: 600_000 },
    async (name, topology) => {
      const lines: string[] = [];
      const seeds = seedsOf[name] ?? 1;
      const { failing } = await runSeeds({ from: 1, seeds, topologies: [topology], write: (line) => lines.push(line) });
      expect(failing, lines.join('\n')).toEqual([]);
    },
  );

  it.each([oneOrigin, engineOrigin])('repeats a seed exactly, and checks answers in it: $name', async (topology) => {
    const run = async () => {
      const simulation = new Simulation(7, { topology, detailed: true });
      return { ...(await simulation.run()), answers: simulation.coverage.counts.get('answers checked') };
    };
    const [one, two] = [await run(), await run()];
    expect(two.trace).toEqual(one.trace);
    expect(one.answers).toBeGreaterThan(50);
  });
});
