import { describe, expect, it } from 'vitest';
import { severalOrigins } from './nodes/topology.ts';
import { runSeeds } from './run-seeds.ts';
import { Simulation } from './simulation.ts';

const seeds = 8;
const severalSeeds = 6;

describe('origins, copies and caches, under faults', () => {
  it('keeps every promise for a range of seeds', { timeout: 600_000 }, async () => {
    const lines: string[] = [];
    const { failing } = await runSeeds({ from: 1, seeds, write: (line) => lines.push(line) });
    expect(failing, lines.join('\n')).toEqual([]);
  });

  it('keeps every promise with several origins, which edges follow in turn', { timeout: 600_000 }, async () => {
    const lines: string[] = [];
    const { failing } = await runSeeds({
      from: 1,
      seeds: severalSeeds,
      topology: severalOrigins,
      write: (line) => lines.push(line),
    });
    expect(failing, lines.join('\n')).toEqual([]);
  });

  it('repeats a seed exactly, and checks answers in it', async () => {
    const run = async () => {
      const simulation = new Simulation(7, { detailed: true });
      return { ...(await simulation.run()), answers: simulation.coverage.counts.get('answers checked') };
    };
    const [one, two] = [await run(), await run()];
    expect(two.trace).toEqual(one.trace);
    expect(one.answers).toBeGreaterThan(50);
  });
});
