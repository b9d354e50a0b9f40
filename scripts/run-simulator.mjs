import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

/** `node scripts/run-simulator.mjs --seeds N --from S --workers W`: the simulator's seeds, shared among processes. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' },
  },
});
const [seeds, from, workers] = [Number(values.seeds), Number(values.from), Number(values.workers)];
if (![seeds, from, workers].every((number) => Number.isInteger(number) && number >= 0) || workers < 1 || seeds < 1) {
  console.error('--seeds, --from and --workers are whole numbers; at least one seed and one worker');
  process.exit(2);
}

const share = Math.ceil(seeds / workers);
const runs = Array.from({ length: workers }, (_, index) => {
  const first = from + index * share;
  const count = Math.min(share, from + seeds - first);
  return count > 0 ? run(first, count) : Promise.resolve(0);
});
const codes = await Promise.all(runs);
process.exit(codes.every((code) => code === 0) ? 0 : 1);

function run(first, count) {
  const child = spawn(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', '--testTimeout', '0', 'test/sim/sim.test.ts'],
    { stdio: 'inherit', env: { ...process.env, SIM_FROM: String(first), SIM_SEEDS: String(count) } },
  );
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
}
