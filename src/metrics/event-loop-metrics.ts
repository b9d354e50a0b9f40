import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

/** Milliseconds between two samples; a delay shorter than that is not seen. */
const resolutionMs = 10;

/** How late this process's timers run, since the scrape before: what a blocked event loop looks like from inside. */
export class EventLoopMetrics {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor(registry: Registry) {
    this.#histogram.enable();
    const histogram = this.#histogram;
    new Gauge({
      name: 'meridian_event_loop_delay_seconds',
      help: 'Delay of the event loop beyond what was asked for, since the scrape before.',
      // Not `quantile`, which is the label of summaries alone.
      labelNames: ['statistic'],
      registers: [registry],
      collect() {
        this.reset();
        // Without a sample the histogram's percentiles are no times at all.
        if (histogram.count === 0) return;
        for (const [statistic, nanoseconds] of [
          ['p50', histogram.percentile(50)],
          ['p99', histogram.percentile(99)],
          ['max', histogram.max],
        ] as const) {
          this.set({ statistic }, Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000));
        }
        histogram.reset();
      },
    });
  }

  stop(): void {
    this.#histogram.disable();
  }
}
