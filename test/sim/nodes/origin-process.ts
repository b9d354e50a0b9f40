import { type LogId, type MemberId, parseMemberId } from '../../../src/model/position.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import type { Peer } from '../../../src/model/upstream.ts';
import { Origin } from '../../../src/origin/origin.ts';
import { type OriginStores, originDefaults } from '../../../src/origin/origin-options.ts';
import { OriginDisks } from '../../support/memory-origin-stores.ts';
import type { MemoryDisk } from '../../support/memory-store.ts';
import type { VirtualClock } from '../../support/virtual-time.ts';
import type { Coverage } from '../coverage.ts';
import type { Parameters } from './parameters.ts';
import { Process, type World } from './process.ts';
import type { OriginPlan } from './topology.ts';

/** Milliseconds after which whoever runs the processes starts one again that stopped by itself. */
const supervisedMs = 40;

export interface OriginMore {
  readonly parameters: Parameters;
  readonly coverage: Coverage;
  /** Reaches another origin by its name. */
  readonly connect: (address: string) => Peer;
  /** Default: an empty disk of its own. */
  readonly stores?: OriginDisks;
  /** Where it notes the stamps of what it kept apart. Default: nowhere else. */
  readonly keptApart?: Stamp[];
}

export class OriginProcess extends Process<Origin> {
  readonly #parameters: Parameters;
  readonly #coverage: Coverage;
  readonly #connect: (address: string) => Peer;
  #id: MemberId | undefined;
  #hasServed = false;
  /** By name; an origin whose disk was wiped is told of others, or it would found a cluster of its own. */
  peers: readonly string[];
  readonly stores: OriginDisks;
  /** The stamps of what it kept apart when it began anew. */
  readonly keptApart: Stamp[];
  /** Told when it stops by itself: another process runs a later opening of its member. */
  onReplaced: () => void = () => {};

  constructor({ name, peers = [] }: OriginPlan, world: World, more: OriginMore) {
    super(name, world, { disks: 0, syncMsMax: more.parameters.syncMsMax });
    this.#parameters = more.parameters;
    this.#coverage = more.coverage;
    this.#connect = more.connect;
    this.peers = peers;
    this.stores = more.stores ?? new OriginDisks();
    this.keptApart = more.keptApart ?? [];
    this.disks = [this.stores.present];
  }

  /** True once it was ready in some life. */
  get hasServed(): boolean {
    this.#hasServed ||= this.node?.serves === true;
    return this.#hasServed;
  }

  get disk(): MemoryDisk {
    return this.stores.present;
  }

  /** Of its last run; undefined before the first. */
  get id(): MemberId | undefined {
    return this.#id;
  }

  /** The log that it writes in; undefined while it is down. */
  get log(): LogId | undefined {
    return this.node?.log;
  }

  protected async open(clock: VirtualClock): Promise<Origin> {
    const stores = await this.openStores(clock);
    const origin = await Origin.open({
      ...originDefaults,
      ...this.#parameters,
      hotBytesMax: this.#parameters.cacheMemoryBytesMax,
      stores,
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
      fenced: () => this.fenced(),
      probeIntervalMs: 50,
      silenceMsMax: 400,
      backoff: { firstMs: 5, mostMs: 80 },
      keepApart: async (_member, records) => {
        for await (const { stamp } of records) this.keptApart.push(stamp);
        return 'a file';
      },
      beginAnew: (why) => {
        this.#coverage.count(`begins anew: ${why.includes('removed') ? 'removed' : 'below a floor'}`);
        this.#restart(0);
      },
      replaced: () => {
        this.#coverage.count('replaced by a later opening');
        this.onReplaced();
        this.#restart(supervisedMs);
      },
    });
    this.#id = parseMemberId(origin.identity.id);
    this.hasOpened();
    return origin;
  }

  protected openStores(_clock: VirtualClock): Promise<OriginStores> {
    return this.stores.open((disk) => this.openStore(disk));
  }

  /** Why another process may hold the store by now. */
  protected fenced(): string | undefined {
    return undefined;
  }

  /** It has begun its log. */
  protected hasOpened(): void {}

  /** The same disk, another process. */
  #restart(afterMs: number): void {
    this.time.at(0, () => {
      this.crash();
      this.time.at(afterMs, () => void this.start());
    });
  }
}
