import { describe, expect, it } from 'vitest';
import type { FeedEvent } from '../../../src/model/feed.ts';
import { Simulation } from '../simulation.ts';

const seedsMax = 40;

/** The first violation that some seed of the range shows once a rule is taken out. */
async function found(takeOut: (simulation: Simulation) => void, expected: RegExp): Promise<boolean> {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const simulation = new Simulation(seed);
    takeOut(simulation);
    const { violations } = await simulation.run();
    if (violations.some((line) => expected.test(line))) return true;
  }
  return false;
}

function tampering(tamper: (event: FeedEvent) => FeedEvent | undefined) {
  return (simulation: Simulation) => {
    for (const edge of simulation.edges) edge.link.tamper = tamper;
  };
}

describe('a rule that is taken out is missed by some seed', { timeout: 120_000 }, () => {
  it('R1: an origin that answers before its batch is synced loses acknowledged writes', async () => {
    const lying = (simulation: Simulation) => {
      // Not from the start, or the namespace goes with the rest and nobody gets an answer.
      simulation.time.at(90, () => {
        for (const disk of simulation.origin.disks) disk.ignoresSync = true;
      });
    };
    expect(await found(lying, /origin lost|a session that saw|: bound/)).toBe(true);
  });

  it('covering: a live step that claims its vector without its records leaves stale answers', async () => {
    const emptied = (event: FeedEvent) =>
      event.kind === 'changes' && event.step !== undefined ? { ...event, records: [] } : event;
    expect(await found(tampering(emptied), /bound|after the quiet/)).toBe(true);
  });

  it('R10: an invalidation channel that is up while its data are stale makes bounds that lie', async () => {
    const echoesAlone = (event: FeedEvent) =>
      event.kind === 'changes' && event.step !== undefined ? undefined : event;
    expect(await found(tampering(echoesAlone), /: bound/)).toBe(true);
  });
});
