import { type OriginId, parseOriginId } from '../../../src/model/position.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import type { Upstream } from '../../../src/model/upstream.ts';
import { Origin } from '../../../src/origin/origin.ts';
import { originDefaults } from '../../../src/origin/origin-options.ts';
import type { MemoryDisk, MemoryStore } from '../../support/memory-store.ts';
import type { VirtualClock } from '../../support/virtual-time.ts';
import type { Coverage } from '../coverage.ts';
import type { Parameters } from './parameters.ts';
import { Process, type World } from './process.ts';
import type { OriginPlan } from './topology.ts';

export class OriginProcess extends Process<Origin> {
  readonly #parameters: Parameters;
  readonly #coverage: Coverage;
  readonly #connect: (address: string) => Upstream;
  #id: OriginId | undefined;
  #hasServed = false;
  /** By name; an origin whose disk was wiped is told of others, or it would found a cluster of its own. */
  peers: readonly string[];
  /** The stamps of what it saved before it began anew. */
  readonly saved: Stamp[] = [];

  /** @param more `connect` reaches another origin by its name */
  constructor(
    { name, peers = [] }: OriginPlan,
    world: World,
    more: { parameters: Parameters; coverage: Coverage; connect: (address: string) => Upstream },
  ) {
    super(name, world, { disks: 1, syncMsMax: more.parameters.syncMsMax });
    this.#parameters = more.parameters;
    this.#coverage = more.coverage;
    this.#connect = more.connect;
    this.peers = peers;
  }

  /** True once it was ready in some life. */
  get hasServed(): boolean {
    this.#hasServed ||= this.node?.serves === true;
    return this.#hasServed;
  }

  get disk(): MemoryDisk {
    const [disk] = this.disks;
    if (disk === undefined) throw new Error('an origin has a disk');
    return disk;
  }

  /** Of its last life; undefined before the first. */
  get id(): OriginId | undefined {
    return this.#id;
  }

  protected async open(clock: VirtualClock, [store]: readonly MemoryStore[]): Promise<Origin> {
    if (store === undefined) throw new Error('an origin has a disk');
    const origin = await Origin.open({
      ...originDefaults,
      ...this.#parameters,
      store,
      clock,
      random: this.random,
      observer: this.#coverage.replication('origin'),
      originObserver: this.#coverage.origin(),
      name: this.name,
      region: 'r',
      version: 'sim',
      durability: 'local',
      address: this.name,
      peers: this.peers,
      connect: (address) => ({ upstream: this.#connect(address), close: () => {} }),
      probeIntervalMs: 50,
      silenceMsMax: 400,
      backoff: { firstMs: 5, mostMs: 80 },
      saveUnreplicated: async (_lost, records) => {
        for await (const { stamp } of records) this.saved.push(stamp);
      },
      lost: (why) => this.#beginAnew(why),
    });
    this.#id = parseOriginId(origin.identity.id);
    return origin;
  }

  /** As its composition root does: the same process over the same disk, which is marked. */
  #beginAnew(why: string): void {
    this.#coverage.count(`lost its id: ${why.includes('removed') ? 'removed' : 'rolled back'}`);
    this.time.at(0, () => {
      this.crash();
      void this.start();
    });
  }
}
