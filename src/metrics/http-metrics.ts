import { Counter, type Registry } from 'prom-client';
import type { HttpObserver } from '../http/observer.ts';
import { latencyBuckets } from './buckets.ts';
import { PlainHistogram } from './plain-histogram.ts';

const classes = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** What the HTTP listener does. Labels are the names of surfaces and classes of status codes, so there are few. */
export class HttpMetrics implements HttpObserver {
  readonly #seconds: PlainHistogram;
  readonly #rejected: Counter;

  constructor(registry: Registry) {
    this.#seconds = new PlainHistogram(
      {
        name: 'meridian_http_request_seconds',
        help: 'Duration of one HTTP exchange; the code `gone` is a client that went away.',
        labelNames: ['surface', 'code'],
        buckets: latencyBuckets,
      },
      registry,
    );
    this.#rejected = new Counter({
      name: 'meridian_http_rejected_total',
      help: 'Connections and requests turned away before any surface saw them.',
      labelNames: ['reason'],
      registers: [registry],
    });
  }

  answered(surface: string, statusCode: number, elapsedMs: number): void {
    const code = statusCode === 0 ? 'gone' : (classes[Math.floor(statusCode / 100)] ?? 'none');
    this.#seconds.observe(surface, code, elapsedMs / 1000);
  }

  rejected(reason: string): void {
    this.#rejected.inc({ reason });
  }
}
