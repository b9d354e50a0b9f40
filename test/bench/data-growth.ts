/**
 * How does the cost of what a user does grow with the data? Records of 100 bytes: 10,000, 100,000, 1 million and 3 million, as far
 * as --records allows. Gets of keys all over and puts at the origin, a page of a list, a new edge's copy, and restarts of
 * both. The larger ones are measured once, as filling them takes longer than measuring.
 */
import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { type BenchRun, runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { fill, keyAt, value } from './support/filled.ts';
import { clientOf, hasCaughtUp, placeOf, residentBytes, startNode, until } from './support/meridian-nodes.ts';

const sizes = [10_000, 100_000, 1_000_000, 3_000_000];
/** Prime, and larger than any of them: so keys follow each other from all over. */
const stride = 15_485_863;
const pageKeys = 1000;
const mebibyte = 1024 * 1024;
const named = new Intl.NumberFormat('en');

await runBench('Cost by the number of records, 100 B', async (run) => {
  const { figures } = run;
  let origin = await startNode(run, 'origin', 'iad');
  await clientOf(run, origin).namespaces.create('bench');
  let filled = 0;
  for (const records of sizes.filter((size) => size <= run.records)) {
    await fill(clientOf(run, origin).namespace('bench'), records, filled);
    filled = records;
    const name = named.format(records);
    await callsAt(run, origin, records);
    const edgeName = `fra-${records}`;
    const flags = ['--upstream', placeOf(origin), '--replicate', '*'];
    const began = await timed(() => caughtUp(run, edgeName, flags));
    figures.add(`${name}: a new copy`, 'records/s', (records * 1000) / began.ms);
    figures.add(`${name}: a copy, resident`, 'MiB', (await residentBytes(began.value)) / mebibyte);
    figures.add(`${name}: a copy on disk`, 'bytes a record', (await bytesIn(join(run.folder, edgeName))) / records);
    await began.value.stop();
    const again = await timed(() => caughtUp(run, edgeName, flags));
    figures.add(`${name}: a copy starts again`, 'ms', again.ms);
    await again.value.kill();
    figures.add(`${name}: the origin, resident`, 'MiB', (await residentBytes(origin)) / mebibyte);
    figures.add(`${name}: the origin on disk`, 'bytes a record', (await bytesIn(join(run.folder, 'iad'))) / records);
    await origin.stop();
    const restarted = await timed(() => startNode(run, 'origin', 'iad'));
    figures.add(`${name}: the origin starts again`, 'ms', restarted.ms);
    origin = restarted.value;
  }
  figures.print();
});

/** What callers of the origin see. */
async function callsAt(run: BenchRun, origin: ChildNode, records: number): Promise<void> {
  const { figures, runs, durationMs } = run;
  const name = named.format(records);
  const namespace = clientOf(run, origin).namespace('bench');
  const anyKey = (n: number) => keyAt((n * stride) % records);
  const pages: Array<string | undefined> = [undefined];
  const list = async (n: number) => {
    const cursor = pages[n % pages.length];
    const page = await namespace.list({ limit: pageKeys, ...(cursor === undefined ? {} : { cursor }) });
    if (!page.list_complete && pages.length < 100) pages.push(page.cursor);
  };
  const calls: ReadonlyArray<readonly [string, number, (n: number) => Promise<unknown>]> = [
    ['get', 64, (n) => namespace.get(anyKey(n))],
    ['put', 64, (n) => namespace.put(anyKey(n), value)],
    ['a page of 1,000 keys', 1, list],
  ];
  for (let round = 0; round < runs; round++) {
    for (const [what, inFlight, call] of calls) {
      const driven = await drive(call, { inFlight, durationMs });
      figures.add(`${name}: ${what}`, 'calls/s', driven.perSecond);
      figures.add(`${name}: ${what}, p99`, 'ms', driven.p99);
    }
  }
}

/** An edge that copies, once its copy is as its origin. */
async function caughtUp(run: BenchRun, name: string, flags: readonly string[]): Promise<ChildNode> {
  const edge = await startNode(run, 'edge', name, flags);
  const client = clientOf(run, edge);
  await until(() => hasCaughtUp(client), 'the edge has caught up');
  return edge;
}

async function timed<T>(run: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const beganMs = performance.now();
  const value = await run();
  return { value, ms: performance.now() - beganMs };
}

async function bytesIn(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true });
  return found.reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}
