import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { toMeridianError } from '../../model/errors.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import type { LoadTarget } from './load-target.ts';

export interface LoadPlan {
  readonly durationMs: number;
  /** Calls under way at once. */
  readonly concurrency: number;
  /** Share of gets among the calls; the rest are puts. */
  readonly reads: number;
  /** Calls a second; unset = as many as will go. */
  readonly ratePerSecond?: number | undefined;
  readonly valueBytes: number;
  readonly keys: number;
}

export interface LoadTools {
  readonly target: Pick<LoadTarget, 'get' | 'put'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** What one kind of call came to. Latencies are in nanoseconds. */
export interface LoadResult {
  readonly latencies: RecordableHistogram;
  /** By error code. */
  readonly failures: Map<string, number>;
}

export interface LoadReport {
  readonly reads: LoadResult;
  readonly writes: LoadResult;
  readonly elapsedMs: number;
  /** Calls that fell due and were never begun, as those before them took too long. Unset without a set rate. */
  readonly missed?: number;
}

export const benchKey = (i: number): string => `key-${String(i).padStart(8, '0')}`;

/**
 * Gets and puts of random keys for a while; what is under way in the end is waited for. At a set rate each call has its due
 * time, from which its latency counts: a call that a slow one held back is as late as its user would find it. What falls due
 * and does not get its turn within that while is counted, and has no latency.
 */
export async function runLoad(plan: LoadPlan, tools: LoadTools): Promise<LoadReport> {
  const { clock, signal } = tools;
  const reads = newResult();
  const writes = newResult();
  const startMs = clock.monotonicMs();
  const elapsedMs = () => clock.monotonicMs() - startMs;
  const { durationMs, ratePerSecond } = plan;
  let begun = 0;
  const worker = async () => {
    while (!signal.aborted && elapsedMs() < durationMs) {
      const dueAfterMs = ratePerSecond === undefined ? undefined : (begun * 1000) / ratePerSecond;
      if (dueAfterMs !== undefined && dueAfterMs >= durationMs) return;
      begun++;
      if (dueAfterMs !== undefined && !(await waitUntil(startMs + dueAfterMs, tools))) return;
      const fromMs = dueAfterMs === undefined ? clock.monotonicMs() : startMs + dueAfterMs;
      await callOnce(plan, tools, tools.random.fraction() < plan.reads ? 'read' : 'write', { reads, writes }, fromMs);
    }
  };
  await Promise.all(Array.from({ length: plan.concurrency }, worker));
  const report = { reads, writes, elapsedMs: elapsedMs() };
  if (ratePerSecond === undefined) return report;
  const due = dueWithin(Math.min(durationMs, report.elapsedMs), ratePerSecond);
  return { ...report, missed: Math.max(0, due - begun) };
}

/** Calls that fall due before so many milliseconds have passed, counted as the workers do. */
function dueWithin(ms: number, ratePerSecond: number): number {
  let due = Math.max(0, Math.floor((ms * ratePerSecond) / 1000) - 1);
  while ((due * 1000) / ratePerSecond < ms) due++;
  return due;
}

async function callOnce(
  plan: LoadPlan,
  { target, clock, random, signal }: LoadTools,
  kind: 'read' | 'write',
  { reads, writes }: Pick<LoadReport, 'reads' | 'writes'>,
  fromMs: number,
): Promise<void> {
  const key = benchKey(Math.floor(random.fraction() * plan.keys));
  const result = kind === 'read' ? reads : writes;
  try {
    if (kind === 'read') await target.get(key);
    else await target.put(key, benchValue(plan.valueBytes));
    result.latencies.record(Math.max(1, Math.round((clock.monotonicMs() - fromMs) * 1e6)));
  } catch (error) {
    if (signal.aborted) return;
    const { code } = toMeridianError(error);
    result.failures.set(code, (result.failures.get(code) ?? 0) + 1);
  }
}

/** A value of that many bytes. What it holds makes no difference: nothing compresses on the way. */
export function benchValue(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(0x78);
}

/** False where the signal came first. */
async function waitUntil(dueMs: number, { clock, signal }: LoadTools): Promise<boolean> {
  const waitMs = dueMs - clock.monotonicMs();
  if (waitMs <= 0) return true;
  return sleep(clock, waitMs, signal).then(
    () => true,
    () => false,
  );
}

function newResult(): LoadResult {
  return { latencies: createHistogram(), failures: new Map() };
}
