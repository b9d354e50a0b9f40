// `npm run fuzz [-- TARGET … --seconds N --inputs M --seed S]`: searches the decoders of test/fuzz/targets.ts for inputs that
// break them, led by which code each input reaches. N seconds in all, 60 unless said, two targets at a time, and at most M
// inputs of each target, without a limit unless said. What breaks one is kept in test/fuzz/corpus/TARGET, where the tests
// run it from then on; what reaches new code is kept in .meridian/fuzz/TARGET, where the next run begins. An hour by hand
// finds more than a minute: --seconds 3600.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const atOnce = 2;

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    inputs: { type: 'string', default: 'Infinity' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
  },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
if (!(seconds >= 1)) fail('--seconds must be a number, 1 or more');
if (!(Number(values.inputs) >= 1)) fail('--inputs must be a number, 1 or more');

const compiled = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'test/tsconfig.fuzz.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
// The compiled sources look for it where it lies beside src.
cpSync(join(root, 'proto'), join(root, 'dist/fuzz/proto'), { recursive: true });
writeFileSync(join(root, 'dist/fuzz/package.json'), '{ "type": "module" }');

const compiledTests = join(root, 'dist/fuzz/test/fuzz');
const { targets } = await import(pathToFileURL(join(compiledTests, 'targets.js')).href);
const known = targets.map(({ name }) => name);
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) fail(`there is no target ${unknown.join(', ')}; there are ${known.join(', ')}`);

const waiting = known.filter((name) => positionals.length === 0 || positionals.includes(name));
const count = waiting.length;
const secondsEach = (seconds * Math.min(atOnce, count)) / count;
const broken = [];
await Promise.all(Array.from({ length: atOnce }, work));
const outcome = broken.length === 0 ? 'none broken' : `BROKEN: ${broken.join(', ')}`;
process.stdout.write(`${count} targets, ${secondsEach.toFixed(1)} s each, ${outcome}\n`);
process.exit(broken.length === 0 ? 0 : 1);

async function work() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const folders = [join(root, 'test/fuzz/corpus', name), join(root, '.meridian/fuzz', name)];
    const words = [join(compiledTests, 'main.js'), name, secondsEach, values.inputs, values.seed, ...folders].map(
      String,
    );
    const code = await new Promise((done) => {
      spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit'] }).once('close', done);
    });
    if (code !== 0) broken.push(name);
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
