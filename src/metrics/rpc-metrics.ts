import { Counter, type Registry } from 'prom-client';
import type { RpcObserver } from '../rpc/observer.ts';
import { BoundedLabel, reasonsMax } from './bounded-label.ts';
import { latencyBuckets } from './buckets.ts';
import { PlainHistogram } from './plain-histogram.ts';

/** What the gRPC listener answers, and what feeds weigh. */
export class RpcMetrics implements RpcObserver {
  readonly #seconds: PlainHistogram;
  readonly #rejected: Counter;
  readonly #feedBytes: Counter;
  readonly #reasons = new BoundedLabel(reasonsMax);

  constructor(registry: Registry) {
    const registers = [registry];
    this.#seconds = new PlainHistogram(
      {
        name: 'meridian_grpc_request_seconds',
        help: 'Duration of one call at the gRPC listener, a stream from its first to its last message.',
        labelNames: ['method', 'code'],
        buckets: latencyBuckets,
      },
      registry,
    );
    this.#rejected = new Counter({
      name: 'meridian_requests_rejected_total',
      help: 'gRPC calls that were answered with an error, by its stable reason.',
      labelNames: ['code', 'reason'],
      registers,
    });
    this.#feedBytes = new Counter({
      name: 'meridian_feed_bytes_total',
      help: 'Bytes of encoded feed messages, to followers (sent) and from those followed (received).',
      labelNames: ['direction'],
      registers,
    });
  }

  answered(method: string, code: string, reason: string | undefined, elapsedMs: number): void {
    this.#seconds.observe(method, code, elapsedMs / 1000);
    if (reason !== undefined) this.#rejected.inc({ code, reason: this.#reasons.of(reason) });
  }

  feedMessage(direction: 'sent' | 'received', bytes: number): void {
    this.#feedBytes.inc({ direction }, bytes);
  }
}
