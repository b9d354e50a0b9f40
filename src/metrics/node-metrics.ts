import { collectDefaultMetrics, Registry } from 'prom-client';
import type { NodeStatus } from '../model/cluster.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { DiskMetrics } from './disk-metrics.ts';
import { EdgeMetrics } from './edge-metrics.ts';
import { EventLoopMetrics } from './event-loop-metrics.ts';
import { type Expiries, ExpiryMetrics } from './expiry-metrics.ts';
import { HttpMetrics } from './http-metrics.ts';
import type { MetricsJson } from './merged-metrics.ts';
import { ReadWriteMetrics } from './read-write-metrics.ts';
import { ReplicationMetrics } from './replication-metrics.ts';
import { RespMetrics } from './resp-metrics.ts';
import { RpcMetrics } from './rpc-metrics.ts';
import { StatusMetrics } from './status-metrics.ts';
import { StoreMetrics } from './store-metrics.ts';

/** All that one node measures, in a registry of its own: two nodes in one process do not mix. */
export class NodeMetrics {
  readonly replication: ReplicationMetrics;
  readonly http: HttpMetrics;
  readonly rpc: RpcMetrics;
  readonly readsAndWrites: ReadWriteMetrics;
  readonly #registry = new Registry();
  readonly #status: StatusMetrics;
  readonly #eventLoop: EventLoopMetrics;

  readonly #logger: Logger;

  /** Of a node with a data folder, with the room that is left there. */
  constructor(outside: { readonly clock: Clock; readonly logger: Logger }, folder?: string) {
    this.#logger = outside.logger;
    this.replication = new ReplicationMetrics(this.#registry, outside);
    this.http = new HttpMetrics(this.#registry);
    this.rpc = new RpcMetrics(this.#registry);
    this.readsAndWrites = new ReadWriteMetrics(this.#registry);
    this.#status = new StatusMetrics(this.#registry);
    this.#eventLoop = new EventLoopMetrics(this.#registry);
    if (folder !== undefined) new DiskMetrics(this.#registry, folder);
    collectDefaultMetrics({ register: this.#registry });
  }

  /** The observer of a Redis listener; its metrics exist only where there is one. */
  forResp(): RespMetrics {
    return new RespMetrics(this.#registry);
  }

  /** The observer of an edge; its metrics exist only where there is one. */
  forEdge(): EdgeMetrics {
    return new EdgeMetrics(this.#registry, this.readsAndWrites, this.#logger);
  }

  /** The observer of a database that keeps the data; its metrics exist only where there is one. */
  forStore(load: ConstructorParameters<typeof StoreMetrics>[1]): StoreMetrics {
    return new StoreMetrics(this.#registry, load);
  }

  /** From now on it is told when certificates and tokens expire. */
  watchExpiries(expiries: Expiries): void {
    new ExpiryMetrics(this.#registry, expiries);
  }

  get registry(): Registry {
    return this.#registry;
  }

  /** The text of one scrape, with this status in it. */
  async scrape(status: NodeStatus | undefined): Promise<{ readonly contentType: string; readonly text: string }> {
    await this.#show(status);
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  /** Of one process of several: every series says which it is. */
  label(process: string): void {
    this.#registry.setDefaultLabels({ process });
  }

  /** What one scrape shows, for `mergeMetrics`. */
  async json(status: NodeStatus | undefined): Promise<MetricsJson> {
    await this.#show(status);
    return this.#registry.getMetricsAsJSON();
  }

  async #show(status: NodeStatus | undefined): Promise<void> {
    await this.replication.forgetGone();
    this.#status.show(status);
  }

  stop(): void {
    this.#eventLoop.stop();
    this.#registry.clear();
  }
}
