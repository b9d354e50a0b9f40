import { createHistogram } from 'node:perf_hooks';

/** What driving one call for a while came to. Milliseconds. */
export interface Driven {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export interface Drive {
  /** Calls under way at once. */
  readonly inFlight: number;
  readonly durationMs: number;
  /** Calls a second, each due at its time, from which its latency counts; unset = as many as will go. */
  readonly rate?: number;
  /** Ends it before its time. */
  readonly signal?: AbortSignal;
}

/** Calls again and again; `call` is told how many calls came before it. */
export async function drive(
  call: (n: number) => Promise<unknown>,
  { inFlight, durationMs, rate, signal }: Drive,
): Promise<Driven> {
  const latencies = createHistogram();
  const startMs = performance.now();
  let issued = 0;
  let done = 0;
  const worker = async () => {
    for (;;) {
      const n = issued++;
      const dueMs = rate === undefined ? performance.now() : startMs + (n * 1000) / rate;
      if (dueMs >= startMs + durationMs || signal?.aborted === true) return;
      const early = dueMs - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      // A timer may be late by a millisecond, which is not the callee's: with one, latency counts from the sending.
      const fromMs = early > 0 ? performance.now() : dueMs;
      await call(n);
      latencies.record(Math.max(1, Math.round((performance.now() - fromMs) * 1e6)));
      done++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const at = (share: number) => latencies.percentile(share) / 1e6;
  return { perSecond: (done * 1000) / (performance.now() - startMs), p50: at(50), p99: at(99), p999: at(99.9) };
}
