import type { Metric } from 'prom-client';
import type { Clock } from '../runtime/clock.ts';

export interface NodeSeriesOptions {
  readonly clock: Clock;
  /** The label whose values name nodes, and which of its values do. */
  readonly label: string;
  readonly names: (value: string) => boolean;
  readonly metrics: readonly Metric[];
}

/** Milliseconds without a word of a node after which its series go. Probes of it, and tries to reach it, come far more often. */
const goneMs = 5 * 60_000;
/** Nodes that have series at once: who follows may call itself anything. */
const nodesMax = 100;

/** Series that name other nodes. Those of a node that is gone are not shown for ever as they were. */
export class NodeSeries {
  readonly #options: NodeSeriesOptions;
  /** When each was heard of last. */
  readonly #heardMs = new Map<string, number>();

  constructor(options: NodeSeriesOptions) {
    this.#options = options;
  }

  /** False where too many have series: then this one gets none. */
  heard(node: string): boolean {
    if (!this.#options.names(node)) return true;
    if (!this.#heardMs.has(node) && this.#heardMs.size >= nodesMax) return false;
    this.#heardMs.set(node, this.#options.clock.monotonicMs());
    return true;
  }

  /** Before the metrics are read. */
  async forgetGone(): Promise<void> {
    const { clock, label, names, metrics } = this.#options;
    const afterMs = clock.monotonicMs() - goneMs;
    for (const [node, heardMs] of this.#heardMs) if (heardMs <= afterMs) this.#heardMs.delete(node);
    for (const metric of metrics) {
      for (const { labels } of (await metric.get()).values) {
        const { le: _bucket, ...own } = labels;
        const node = String(own[label]);
        if (names(node) && !this.#heardMs.has(node)) metric.remove(own);
      }
    }
  }
}
