// `npm run sim -- --seeds N --from S --workers W`: the simulator's seeds, compiled and shared among processes, each in
// every topology or in the one that `--topology` names. Prints the trace of the first seed that fails in each process,
// and how often what the rules are about has happened. With `--rules` it takes each rule out in turn instead, and says which
// seed, scripted history or unit test shows that it is missed.
import { fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' },
    topology: { type: 'string' },
    rules: { type: 'boolean', default: false },
  },
});
const [seeds, from, workers] = [Number(values.seeds), Number(values.from), Number(values.workers)];
if (![seeds, from, workers].every((number) => Number.isInteger(number) && number >= 0) || workers < 1 || seeds < 1) {
  console.error('--seeds, --from and --workers are whole numbers; at least one seed and one worker');
  process.exit(2);
}

/** Milliseconds in which a rule that was taken out is to be missed. */
const ruleMsMax = 600_000;
const built = mkdtempSync(join(tmpdir(), 'meridian-sim-'));
process.on('exit', () => rmSync(built, { recursive: true, force: true }));
const compiled = spawnSync(process.execPath, ['scripts/build-simulator.mjs', built], { stdio: 'inherit' });
if (compiled.status !== 0) process.exit(2);

if (values.rules) process.exit(takeOutRules() ? 0 : 1);

const startedMs = performance.now();
const counts = new Map();
const failing = [];
let done = 0;
const share = Math.ceil(seeds / workers);
const codes = await Promise.all(
  Array.from({ length: workers }, (_, index) => {
    const first = from + index * share;
    const count = Math.min(share, from + seeds - first);
    return count > 0 ? run(first, count) : 0;
  }),
);
for (const [name, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
  console.log(`${name.padEnd(50)} ${String(count).padStart(10)} ${(count / seeds).toFixed(3).padStart(10)} a seed`);
}
const seconds = (performance.now() - startedMs) / 1000;
console.log(`${seeds} seeds from ${from} in ${seconds.toFixed(1)} s, ${failing.length} failing: ${failing.join(', ')}`);
process.exit(codes.every((code) => code === 0) ? 0 : 1);

/** Takes each rule out in turn, and looks for what shows that it is missed: `--seeds` seeds from the known one on. */
function takeOutRules() {
  const main = join(built, 'test/sim/main.js');
  const { stdout } = spawnSync(process.execPath, [main, '--rules'], { encoding: 'utf8' });
  let allFound = true;
  for (const { name, seed, topology, history, test } of stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))) {
    const searched = ['--topology', topology, '--from', String(seed), '--seeds', String(seeds)];
    const where = history === undefined ? searched : ['--history', history];
    const { status, stdout: output } =
      test === undefined ? spawnRule([main, '--without', name, ...where]) : runTest(test, name);
    const found = status === 1 && output !== '';
    allFound &&= found;
    console.log(`${found ? 'found ' : 'MISSED'} ${name}\n       ${output.split('\n')[0]}`);
  }
  return allFound;
}

/** A unit test that is to fail, without a rule. Where another one fails, or none is called so, there is no output. */
function runTest([file, name], rule) {
  const args = ['run', '--project', 'unit', '--reporter', 'json', file, '-t', name];
  const { status, stdout } = spawnRule(['node_modules/vitest/vitest.mjs', ...args], { WITHOUT_RULE: rule });
  const { numFailedTests, testResults } = JSON.parse(stdout);
  const failed = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter((result) => result.status === 'failed'),
  );
  return { status, stdout: numFailedTests === 1 ? `${failed[0].fullName}: ${failed[0].failureMessages[0]}` : '' };
}

function spawnRule(args, env = {}) {
  return spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: ruleMsMax,
  });
}

function run(first, count) {
  const only = values.topology === undefined ? [] : ['--topology', values.topology];
  const child = fork(join(built, 'test/sim/main.js'), ['--seeds', String(count), '--from', String(first), ...only]);
  child.on('message', (message) => {
    if (message.seeds !== undefined) {
      done += message.seeds;
      if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${seeds} seeds `);
      return;
    }
    failing.push(...message.failing);
    for (const [name, number] of message.counts) counts.set(name, (counts.get(name) ?? 0) + number);
  });
  return new Promise((resolve) => {
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
