import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Of a database that keeps an origin's data. */
export class StoreMetrics {
  readonly #statements: Histogram<'outcome'>;
  readonly #retries: Counter;
  readonly #leases: Counter<'change'>;
  readonly #lostCommits: Counter;

  /** @param load connections for reading: in use, at the most, and reads that wait for one */
  constructor(
    registry: Registry,
    load: () => { readonly used: number; readonly size: number; readonly waiting: number },
  ) {
    const registers = [registry];
    this.#statements = new Histogram({
      name: 'meridian_store_statement_seconds',
      help: 'Time of statements at the database',
      labelNames: ['outcome'],
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 10],
      registers,
    });
    this.#retries = new Counter({
      name: 'meridian_store_commit_retries_total',
      help: 'Commits that were tried again, or whose outcome was looked up',
      registers,
    });
    this.#leases = new Counter({
      name: 'meridian_store_lease_changes_total',
      help: 'How often this process took the lease of the store, or lost it',
      labelNames: ['change'],
      registers,
    });
    this.#lostCommits = new Counter({
      name: 'meridian_store_lost_commits_total',
      help: 'Acknowledged commits that the database lost, by a restored backup or a replica that lagged',
      registers,
    });
    new Gauge({
      name: 'meridian_store_connections',
      help: 'Connections for reading: in use, and at the most',
      labelNames: ['state'],
      registers,
      collect() {
        const { used, size } = load();
        this.set({ state: 'used' }, used);
        this.set({ state: 'limit' }, size);
      },
    });
    new Gauge({
      name: 'meridian_store_waiting_reads',
      help: 'Reads that wait for a connection',
      registers,
      collect() {
        this.set(load().waiting);
      },
    });
  }

  statement(outcome: 'ok' | 'failed', durationMs: number): void {
    this.#statements.observe({ outcome }, durationMs / 1000);
  }

  commitRetried(): void {
    this.#retries.inc();
  }

  leaseTaken(): void {
    this.#leases.inc({ change: 'taken' });
  }

  leaseLost(): void {
    this.#leases.inc({ change: 'lost' });
  }

  tailLost(commits: number): void {
    this.#lostCommits.inc(commits);
  }
}
