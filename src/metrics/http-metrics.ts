import { Counter, Histogram, type Registry } from 'prom-client';
import type { HttpObserver } from '../http/observer.ts';
import { latencyBuckets } from './buckets.ts';

/** What the HTTP listener does. Labels are the names of surfaces and classes of status codes, so there are few. */
export class HttpMetrics implements HttpObserver {
  readonly #seconds: Histogram;
  readonly #rejected: Counter;

  constructor(registry: Registry) {
    this.#seconds = new Histogram({
      name: 'meridian_http_request_seconds',
      help: 'Duration of one HTTP exchange; the code `gone` is a client that went away.',
      labelNames: ['surface', 'code'],
      buckets: latencyBuckets,
      registers: [registry],
    });
    this.#rejected = new Counter({
      name: 'meridian_http_rejected_total',
      help: 'Connections and requests turned away before any surface saw them.',
      labelNames: ['reason'],
      registers: [registry],
    });
  }

  answered(surface: string, statusCode: number, elapsedMs: number): void {
    const code = statusCode === 0 ? 'gone' : `${Math.floor(statusCode / 100)}xx`;
    this.#seconds.observe({ surface, code }, elapsedMs / 1000);
  }

  rejected(reason: string): void {
    this.#rejected.inc({ reason });
  }
}
