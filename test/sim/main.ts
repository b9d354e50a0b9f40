import { parseArgs } from 'node:util';
import { runSeeds } from './run-seeds.ts';

/**
 * One process of `npm run sim`: runs its share of the seeds, writes the traces of those that fail, and tells its parent
 * how far it is and what it met.
 */
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '1' }, from: { type: 'string', default: '1' } },
});

// Stacks are most of what an error costs, and a history is full of errors that are meant to be.
Error.stackTraceLimit = 0;

const { failing, coverage } = await runSeeds(Number(values.from), Number(values.seeds), (line) => console.log(line), {
  progress: (seeds) => process.send?.({ seeds }),
});
process.send?.({ failing, counts: [...coverage.counts] });
process.exitCode = failing.length === 0 ? 0 : 1;
process.disconnect?.();
