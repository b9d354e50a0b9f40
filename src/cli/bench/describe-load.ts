import { table } from '../table.ts';
import type { LoadReport, LoadResult } from './run-load.ts';

const percentiles = [50, 90, 99, 99.9] as const;

/** The figures of one kind of call; latencies in milliseconds. */
function figures({ latencies, failures }: LoadResult, elapsedMs: number) {
  const ms = (ns: number) => Math.round(ns / 1e3) / 1e3;
  return {
    count: latencies.count,
    perSecond: Math.round((latencies.count * 1000) / elapsedMs),
    latencyMs: {
      ...Object.fromEntries(
        percentiles.map((p) => [`p${p}`, latencies.count === 0 ? null : ms(latencies.percentile(p))]),
      ),
      max: latencies.count === 0 ? null : ms(latencies.max),
    } as Record<string, number | null>,
    failures: Object.fromEntries(failures),
  };
}

export function loadAsJson({ reads, writes, elapsedMs, missed }: LoadReport): object {
  const figuresOf = (result: LoadResult) => figures(result, elapsedMs);
  return { elapsedMs, ...(missed === undefined ? {} : { missed }), reads: figuresOf(reads), writes: figuresOf(writes) };
}

export function loadAsText({ reads, writes, elapsedMs, missed = 0 }: LoadReport): string {
  const row = (name: string, result: LoadResult) => {
    const { count, perSecond, latencyMs, failures } = figures(result, elapsedMs);
    const times = Object.values(latencyMs).map((ms) => (ms === null ? '' : ms.toFixed(3)));
    const failed = Object.entries(failures).map(([code, n]) => `${n} ${code}`);
    return [name, String(count), String(perSecond), ...times, failed.join(', ') || '0'];
  };
  const headings = ['call', 'count', 'per second', ...percentiles.map((p) => `p${p} ms`), 'max ms', 'failed'];
  const rows = table(headings, [row('get', reads), row('put', writes)]);
  return missed === 0 ? rows : `${rows}${missed} calls fell due and never got their turn: the rate was not kept\n`;
}
