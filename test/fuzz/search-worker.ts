import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { inputBytesMax, mutate } from './mutate.ts';
import { Reached } from './reached.ts';
import type { FuzzTarget } from './target.ts';
import { targets } from './targets.ts';

export interface Search {
  readonly name: string;
  readonly seconds: number;
  /** Of the inputs that are made, not of those that are run again to find out what they reach. */
  readonly inputsMax: number;
  readonly seed: number;
  readonly from: readonly Uint8Array[];
  /** The input that is run now, behind its length; and how many were run. */
  readonly current: SharedArrayBuffer;
}

export type Told =
  | { readonly kind: 'reached'; readonly bytes: Uint8Array }
  | { readonly kind: 'broken'; readonly bytes: Uint8Array; readonly why: string }
  | { readonly kind: 'done'; readonly inputs: number; readonly blocks: number };

/** Inputs between two looks at what they reached: a look costs as much as some hundred of them. */
const batchInputs = 256;
const brokenMax = 5;

const search = workerData as Search;
const { name, seconds, inputsMax, seed, from } = search;
const counts = new Int32Array(search.current, 0, 2);
const shown = new Uint8Array(search.current, 8);
const tell = (told: Told) => parentPort?.postMessage(told);
const broken = new Set<string>();
let inputs = 0;

/** Undefined where the target keeps its promises. The main thread sees which input it was that never ended. */
async function failureOf({ run }: FuzzTarget, bytes: Buffer): Promise<string | undefined> {
  counts[1] = bytes.length;
  shown.set(bytes);
  Atomics.store(counts, 0, ++inputs);
  try {
    await run(Buffer.from(bytes));
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** One of the same kind of failure that is as short as leaving parts out makes it. */
async function shortest(target: FuzzTarget, bytes: Buffer, kind: string): Promise<Buffer> {
  let best = bytes;
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= best.length; ) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      const failure = await failureOf(target, shorter);
      if (failure !== undefined && kindOf(failure) === kind) best = shorter;
      else at += size;
    }
  }
  return best;
}

/** Where it was thrown: what was seen differs from input to input. */
function kindOf(failure: string): string {
  return failure.split('\n').find((line) => line.includes('    at ')) ?? failure;
}

async function tryOne(target: FuzzTarget, bytes: Buffer): Promise<void> {
  const failure = await failureOf(target, bytes);
  if (failure === undefined || broken.has(kindOf(failure))) return;
  broken.add(kindOf(failure));
  tell({ kind: 'broken', bytes: await shortest(target, bytes, kindOf(failure)), why: failure });
}

async function run(target: FuzzTarget): Promise<void> {
  const random = new SeededRandom(seed);
  const reached = new Reached((url) => url.includes('/dist/fuzz/src/'));
  const corpus = [...target.seeds(), ...from.map((bytes) => Buffer.from(bytes))];
  for (const bytes of corpus) await tryOne(target, bytes);
  reached.look();
  // What came last reached something new, so it is chosen more often.
  const choose = () => corpus[Math.floor(corpus.length * Math.sqrt(random.fraction()))] ?? Buffer.alloc(0);
  const endMs = systemClock.monotonicMs() + seconds * 1000;
  const isOver = () => systemClock.monotonicMs() >= endMs || broken.size >= brokenMax;
  for (let made = 0; made < inputsMax && !isOver(); made += batchInputs) {
    const batch = Array.from({ length: batchInputs }, () => mutate(choose(), choose(), random));
    for (const bytes of batch) await tryOne(target, bytes);
    corpus.push(...(await reaching(target, batch, { first: reached.look(), reached })));
  }
  tell({ kind: 'done', inputs, blocks: reached.size });
}

interface Wanted {
  /** Blocks that the inputs reach as the first; those that are found go. */
  readonly first: Set<string>;
  readonly reached: Reached;
}

/** The inputs that reach these blocks, one for each: by halves, as few of many do. */
async function reaching(target: FuzzTarget, inputs: readonly Buffer[], wanted: Wanted): Promise<readonly Buffer[]> {
  const { first, reached } = wanted;
  if (first.size === 0) return [];
  for (const bytes of inputs) await failureOf(target, bytes);
  const mine = [...reached.since()].filter((block) => first.has(block));
  if (mine.length === 0) return [];
  const [only, ...others] = inputs;
  if (only !== undefined && others.length === 0) {
    for (const block of mine) first.delete(block);
    tell({ kind: 'reached', bytes: only });
    return [only];
  }
  const middle = inputs.length >> 1;
  const left = await reaching(target, inputs.slice(0, middle), wanted);
  return [...left, ...(await reaching(target, inputs.slice(middle), wanted))];
}

const target = targets.find((one) => one.name === name);
if (target === undefined || shown.length < inputBytesMax) throw new Error(`there is no target ${name}`);
await run(target);
