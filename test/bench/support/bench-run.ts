import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Figures } from './figures.ts';

/** What a bench has at hand while it runs. */
export interface BenchRun {
  readonly figures: Figures;
  /** Goes away afterwards. */
  readonly folder: string;
  /** Times to measure; the median counts. */
  readonly runs: number;
  /** Milliseconds for one figure of one run. */
  readonly durationMs: number;
  /** Records of the benches that fill a store. */
  readonly records: number;
  /** Runs when the bench ends, in the opposite order. */
  onEnd(close: () => unknown): void;
}

/**
 * Runs a bench that states its question, with the flags --runs, --duration (milliseconds), --records, and --report: a
 * Markdown file that its figures are appended to.
 */
export async function runBench(question: string, bench: (run: BenchRun) => Promise<void>): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      duration: { type: 'string', default: '2000' },
      records: { type: 'string', default: '1000000' },
      report: { type: 'string' },
    },
  });
  const closing: Array<() => unknown> = [];
  const folder = mkdtempSync(join(tmpdir(), 'meridian-bench-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const figures = new Figures();
  console.log(`\n# ${question}`);
  const [load = 0] = loadavg();
  const machine = `${cpus().length} cores, Node ${process.versions.node}, load before it began ${load.toFixed(2)}`;
  console.log(`# ${machine}`);
  try {
    const [runs, durationMs, records] = [Number(values.runs), Number(values.duration), Number(values.records)];
    await bench({ figures, folder, runs, durationMs, records, onEnd: (close) => closing.push(close) });
    const said = `## ${question}\n\n${machine}; ${runs} runs.\n\n${figures.markdown()}\n`;
    if (values.report !== undefined) appendFileSync(values.report, said);
  } finally {
    for (const close of closing.reverse()) await close();
  }
}
