import { Counter, Histogram, type Registry } from 'prom-client';
import type { CallCounts } from '../model/cluster.ts';
import { noHits } from '../model/hit-counts.ts';
import type { OriginObserver } from '../origin/observer.ts';
import { latencyBuckets } from './buckets.ts';

/** Reads by where their data came from, and writes. Outcomes are a closed set, so there are few series. */
export class ReadWriteMetrics implements OriginObserver {
  readonly hits = { origin: noHits(), copy: noHits(), cache: noHits() };
  /** Of those that are counted one by one. */
  #readsCounted = 0;
  #writesCounted = 0;
  readonly #reads: Counter;
  readonly #readSeconds: Histogram;
  readonly #writes: Counter;
  readonly #mutations: Counter;
  readonly #writeSeconds: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    const counted = { origin: noHits(), copy: noHits(), cache: noHits() };
    const collectHits = () => this.#collectHits(counted);
    this.#reads = new Counter({
      name: 'meridian_reads_total',
      help: 'Reads answered or refused, by the source of their data.',
      labelNames: ['kind', 'source', 'outcome'],
      registers,
      collect: collectHits,
    });
    this.#readSeconds = new Histogram({
      name: 'meridian_read_seconds',
      help: 'Duration of one read inside the node, of those that were not answered at once from memory.',
      labelNames: ['kind', 'source'],
      buckets: latencyBuckets,
      registers,
    });
    this.#writes = new Counter({
      name: 'meridian_writes_total',
      help: 'Writes acknowledged or refused; a batch is one.',
      labelNames: ['outcome'],
      registers,
    });
    this.#mutations = new Counter({
      name: 'meridian_mutations_total',
      help: 'Puts and deletes of acknowledged writes.',
      registers,
    });
    this.#writeSeconds = new Histogram({
      name: 'meridian_write_seconds',
      help: 'Duration of one write inside the node, its sync included.',
      buckets: latencyBuckets,
      registers,
    });
  }

  /** All since the node was opened. */
  calls(): CallCounts {
    const hits = Object.values(this.hits).reduce((sum, { found, absent }) => sum + found + absent, 0);
    return { reads: hits + this.#readsCounted, writes: this.#writesCounted };
  }

  read(kind: 'get' | 'list', outcome: string, elapsedMs: number): void {
    this.readFrom('origin', kind, outcome, elapsedMs);
  }

  /** `source` is origin, copy, cache, or none where the read was refused. */
  readFrom(source: string, kind: 'get' | 'list', outcome: string, elapsedMs: number): void {
    this.#readsCounted++;
    this.#reads.inc({ kind, source, outcome });
    this.#readSeconds.observe({ kind, source }, elapsedMs / 1000);
  }

  /** What was counted since the scrape before. */
  #collectHits(counted: typeof this.hits): void {
    for (const source of ['origin', 'copy', 'cache'] as const) {
      for (const outcome of ['found', 'absent'] as const) {
        const now = this.hits[source][outcome];
        if (now > counted[source][outcome]) {
          this.#reads.inc({ kind: 'get', source, outcome }, now - counted[source][outcome]);
        }
        counted[source][outcome] = now;
      }
    }
  }

  written(outcome: string, mutations: number, elapsedMs: number): void {
    this.#writesCounted++;
    this.#writes.inc({ outcome });
    if (outcome === 'ok') this.#mutations.inc(mutations);
    this.#writeSeconds.observe(elapsedMs / 1000);
  }
}
