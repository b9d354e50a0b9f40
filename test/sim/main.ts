import { parseArgs } from 'node:util';
import { isRule, rulesTakenOut } from './ablation/rules-taken-out.ts';
import { takeOut } from './ablation/switched-rules.ts';
import { playHistory } from './histories/histories.ts';
import { topologies } from './nodes/topology.ts';
import { runSeeds } from './run-seeds.ts';

/**
 * One process of `npm run sim`: runs its share of the seeds, writes the traces of those that fail, and tells its parent
 * how far it is and what it met. With `--without RULE` it runs code from which the rule was taken out, until that shows.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    from: { type: 'string', default: '1' },
    without: { type: 'string' },
    history: { type: 'string' },
    topology: { type: 'string' },
    rules: { type: 'boolean', default: false },
  },
});

// Stacks are most of what an error costs, and a history is full of errors that are meant to be.
Error.stackTraceLimit = 0;

const { without } = values;
if (without !== undefined && !isRule(without)) throw new Error(`no rule is called ${without}`);
if (without !== undefined) takeOut(without);
const expected = without === undefined ? undefined : (rulesTakenOut[without].expected ?? /./);

if (values.rules) {
  for (const [name, { seed = 1, topology = 'one', history, test }] of Object.entries(rulesTakenOut)) {
    console.log(JSON.stringify({ name, seed, topology, history, test }));
  }
  process.exit(0);
}

const chosen = topologies.filter(({ name }) => values.topology === undefined || name === values.topology);
if (chosen.length === 0) throw new Error(`no topology is called ${values.topology}`);

if (values.history === undefined) {
  const { failing, coverage } = await runSeeds({
    from: Number(values.from),
    seeds: Number(values.seeds),
    write: (line) => console.log(line),
    topologies: chosen,
    progress: (seeds) => process.send?.({ seeds }),
    ...(expected === undefined ? {} : { until: expected }),
  });
  process.send?.({ failing, counts: [...coverage.counts] });
  process.exitCode = failing.length === 0 ? 0 : 1;
} else {
  const { violations } = await playHistory(values.history);
  const found = violations.filter((line) => expected?.test(line) ?? true);
  for (const line of found) console.log(`${values.history}: ${line}`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
process.disconnect?.();
