import { Edge } from '../../../src/edge/edge.ts';
import { edgeDefaults } from '../../../src/edge/edge-options.ts';
import type { NamedUpstream } from '../../../src/edge/upstreams.ts';
import type { MemoryDisk } from '../../support/memory-store.ts';
import type { VirtualClock } from '../../support/virtual-time.ts';
import type { Coverage } from '../coverage.ts';
import type { Parameters } from './parameters.ts';
import { Process, type World } from './process.ts';
import type { EdgePlan } from './topology.ts';

export class EdgeProcess extends Process<Edge> {
  readonly plan: EdgePlan;
  readonly #upstreams: () => readonly NamedUpstream[];
  readonly #parameters: Parameters;
  readonly #coverage: Coverage;

  /** @param upstreams asked at each start, once every node is there */
  constructor(
    plan: EdgePlan,
    world: World,
    more: { upstreams: () => readonly NamedUpstream[]; parameters: Parameters; coverage: Coverage },
  ) {
    super(plan.name, world, { disks: 2, syncMsMax: more.parameters.syncMsMax });
    this.plan = plan;
    this.#upstreams = more.upstreams;
    this.#parameters = more.parameters;
    this.#coverage = more.coverage;
  }

  get copyDisk(): MemoryDisk {
    return this.#disk(0);
  }

  get cacheDisk(): MemoryDisk {
    return this.#disk(1);
  }

  protected open(clock: VirtualClock): Promise<Edge> {
    const [copyStore, cacheStore] = [this.openStore(this.copyDisk), this.openStore(this.cacheDisk)];
    return Edge.open({
      ...edgeDefaults,
      ...this.#parameters,
      probeIntervalMs: 50,
      silenceMsMax: 400,
      backoff: { firstMs: 5, mostMs: 80 },
      loadTimeoutMs: 300,
      audit: { everyMs: 150, keysMax: 2, rangeRecordsMax: 6, rangeBytesMax: 1000, suspectsMax: 2, patienceMs: 300 },
      identity: { name: this.name, region: 'r' },
      version: 'sim',
      clock,
      random: this.random,
      observer: this.#coverage.replication('edge'),
      edgeObserver: this.#coverage.edge(),
      upstreams: this.#upstreams(),
      copyStore,
      cacheStore,
      replicate: this.plan.replicate,
      feedValues: { kind: 'inline', bytesMax: this.#parameters.inlineBytesMax },
    });
  }

  #disk(index: number): MemoryDisk {
    const disk = this.disks[index];
    if (disk === undefined) throw new Error(`${this.name} has no disk ${index}`);
    return disk;
  }
}
