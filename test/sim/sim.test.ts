import { describe, expect, it } from 'vitest';
import { runSeeds } from './run-seeds.ts';
import { Simulation } from './simulation.ts';

const from = Number(process.env['SIM_FROM'] ?? 1);
const seeds = Number(process.env['SIM_SEEDS'] ?? 30);

describe('one origin, copies and a cache, under faults', () => {
  it('keeps every promise for a range of seeds', { timeout: 600_000 }, async () => {
    const lines: string[] = [];
    const failing = await runSeeds(from, seeds, (line) => lines.push(line));
    expect(failing, lines.join('\n')).toEqual([]);
  });

  it('repeats a seed exactly, and checks answers in it', async () => {
    const [one, two] = [await new Simulation(7).run(), await new Simulation(7).run()];
    expect(two.hash).toBe(one.hash);
    expect(one.answers).toBeGreaterThan(50);
  });
});
