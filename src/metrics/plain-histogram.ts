import type { Metric, Registry } from 'prom-client';

export interface PlainHistogramOptions {
  readonly name: string;
  readonly help: string;
  /** Two of them: the series of an observation is found by their values, without a text being made of them. */
  readonly labelNames: readonly [string, string];
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
}

/** Observations of one pair of labels. */
interface Series {
  readonly first: string;
  readonly second: string;
  /** How many fell into each bucket, and at the end those beyond all. */
  readonly counts: number[];
  sum: number;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * A histogram whose observation is two look-ups and two additions; what Prometheus wants of it is worked out when it is
 * scraped. prom-client's own makes a text of the labels for each, which takes as long as a read from memory does.
 */
export class PlainHistogram {
  readonly #options: PlainHistogramOptions;
  readonly #series = new Map<string, Map<string, Series>>();

  constructor(options: PlainHistogramOptions, registry: Registry) {
    this.#options = options;
    const { name, help } = options;
    const get = async () => ({ name, help, type: 'histogram', values: this.#samples(), aggregator: 'sum' });
    // What a registry asks of a metric is its name and this; its types name prom-client's own classes alone.
    registry.registerMetric({ name, get } as unknown as Metric);
  }

  observe(first: string, second: string, value: number): void {
    const series = this.#series.get(first)?.get(second) ?? this.#begin(first, second);
    const { buckets } = this.#options;
    let bucket = 0;
    while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket++;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.sum += value;
  }

  #begin(first: string, second: string): Series {
    const series = { first, second, counts: new Array<number>(this.#options.buckets.length + 1).fill(0), sum: 0 };
    const others = this.#series.get(first) ?? new Map<string, Series>();
    others.set(second, series);
    this.#series.set(first, others);
    return series;
  }

  #samples(): Sample[] {
    const { name, labelNames, buckets } = this.#options;
    const [firstName, secondName] = labelNames;
    return [...this.#series.values()]
      .flatMap((others) => [...others.values()])
      .flatMap(({ first, second, counts, sum }) => {
        const labels = { [firstName]: first, [secondName]: second };
        let below = 0;
        const bucketed = [...buckets, '+Inf'].map((le, index): Sample => {
          below += counts[index] ?? 0;
          return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: below };
        });
        const total = { metricName: `${name}_count`, labels, value: below };
        return [...bucketed, { metricName: `${name}_sum`, labels, value: sum }, total];
      });
  }
}
