import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { inputBytesMax } from './mutate.ts';
import type { Search, Told } from './search-worker.ts';

/**
 * `node main.js TARGET SECONDS INPUTS SEED FOUND REACHED`: searches one target in a thread of its own, so that an input that
 * never ends is noticed. What breaks the target is kept in the folder FOUND, what reaches new code in REACHED. Exits with 1 where
 * anything broke.
 */
const [name = '', seconds = '', inputs = '', seed = '', found = '', reached = ''] = process.argv.slice(2);
/** Far beyond what an input of these sizes may take, also on a machine that does much else. */
const hangMs = 20_000;

const keep = (folder: string, bytes: Uint8Array): string => {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  writeFileSync(path, bytes);
  return path;
};
const kept = [found, reached].flatMap((folder) => {
  return existsSync(folder) ? readdirSync(folder).map((file) => readFileSync(join(folder, file))) : [];
});
const current = new SharedArrayBuffer(8 + inputBytesMax);
const counts = new Int32Array(current, 0, 2);
const limits = { seconds: Number(seconds), inputsMax: Number(inputs) };
const search: Search = { name, ...limits, seed: Number(seed), from: kept, current };
const worker = new Worker(new URL('./search-worker.js', import.meta.url), { workerData: search });

let isBroken = false;
function broke(bytes: Uint8Array, why: string): void {
  isBroken = true;
  process.stdout.write(`${name}: ${keep(found, bytes)}\n${why}\n`);
}

let before = 0;
const watch = setInterval(() => {
  const run = Atomics.load(counts, 0);
  if (run !== before) {
    before = run;
    return;
  }
  broke(new Uint8Array(current, 8, counts[1]).slice(), `it has not ended for ${hangMs} ms`);
  process.exit(1);
}, hangMs);

worker.on('message', (told: Told) => {
  if (told.kind === 'broken') broke(told.bytes, told.why);
  else if (told.kind === 'reached') keep(reached, told.bytes);
  else process.stdout.write(`${name.padEnd(20)} ${told.inputs} inputs, ${told.blocks} blocks reached, seed ${seed}\n`);
});
worker.on('error', (error) => {
  throw error;
});
worker.on('exit', (code) => {
  clearInterval(watch);
  process.exit(code === 0 && !isBroken ? 0 : 1);
});
