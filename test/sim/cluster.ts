import { Edge } from '../../src/edge/edge.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { Origin } from '../../src/origin/origin.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { MemoryDisk, type MemoryStore } from '../support/memory-store.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import { VirtualClock, type VirtualTime } from '../support/virtual-time.ts';
import { Link } from './link.ts';

const tiny = {
  ringCommitsMax: 3,
  scanRecordsMax: 2,
  scansMax: 2,
  scanStallMs: 300,
  sweepIntervalMs: 50,
  clockSkewMsMax: 60,
  tombstoneRetentionMs: 500,
};

interface Running<N> {
  readonly node: N;
  readonly clock: VirtualClock;
  readonly stores: readonly MemoryStore[];
}

/** One process that can be crashed and started again over the same disks. */
export abstract class Process<N> {
  readonly disks: readonly MemoryDisk[];
  running: Running<N> | undefined;
  /** Milliseconds by which this machine's wall clock is off; it survives restarts. */
  skewMs = 0;
  protected readonly time: VirtualTime;
  protected readonly random: SeededRandom;
  /** Rises with each crash, so that a start which a crash overtook is not taken for running. */
  #incarnation = 0;

  constructor(time: VirtualTime, random: SeededRandom, disks: number) {
    this.time = time;
    this.random = random;
    this.disks = Array.from({ length: disks }, () => new MemoryDisk());
  }

  async start(): Promise<void> {
    const incarnation = ++this.#incarnation;
    const clock = new VirtualClock(this.time, this.skewMs);
    const wait = () => this.time.wait(this.random.fraction() * 4);
    const stores = this.disks.map((disk) => disk.open(wait));
    const crashed = () => incarnation !== this.#incarnation;
    this.#kill = () => {
      clock.stop();
      for (const store of stores) store.crash();
    };
    try {
      const node = await this.open(clock, stores);
      if (!crashed()) this.running = { node, clock, stores };
    } catch {
      // Whoever looks after the process starts it again.
      if (crashed()) return;
      this.crash();
      this.time.at(50, () => void this.start());
    }
  }

  /** Nothing of the process has an effect from now on. */
  crash(): void {
    this.#incarnation++;
    this.running = undefined;
    this.#kill();
  }

  stepClock(skewMs: number): void {
    this.skewMs = skewMs;
    if (this.running !== undefined) this.running.clock.skewMs = skewMs;
  }

  protected abstract open(clock: VirtualClock, stores: readonly MemoryStore[]): Promise<N>;

  #kill: () => void = () => {};
}

export class OriginProcess extends Process<Origin> {
  constructor(time: VirtualTime, random: SeededRandom) {
    super(time, random, 1);
  }

  protected open(clock: VirtualClock, [store]: readonly MemoryStore[]): Promise<Origin> {
    if (store === undefined) throw new Error('an origin has a disk');
    return Origin.open({
      ...originDefaults,
      ...tiny,
      store,
      clock,
      random: this.random,
      observer: silentReplicationObserver,
      originObserver: silentOriginObserver,
      name: 'o',
      region: 'r',
      version: 'sim',
      durability: 'local',
    });
  }
}

export class EdgeProcess extends Process<Edge> {
  readonly link: Link;
  readonly name: string;
  readonly #replicate: readonly string[];

  constructor(
    time: VirtualTime,
    random: SeededRandom,
    { name, replicate, origin }: { name: string; replicate: readonly string[]; origin: OriginProcess },
  ) {
    super(time, random, 2);
    this.name = name;
    this.#replicate = replicate;
    this.link = new Link(time, random, () => origin.running?.node);
  }

  protected open(clock: VirtualClock, [copyStore, cacheStore]: readonly MemoryStore[]): Promise<Edge> {
    if (copyStore === undefined || cacheStore === undefined) throw new Error('an edge has two disks');
    return Edge.open({
      ...edgeDefaults,
      ...tiny,
      probeIntervalMs: 20,
      silenceMsMax: 300,
      backoff: { firstMs: 5, mostMs: 50 },
      loadTimeoutMs: 400,
      identity: { name: this.name, region: 'r' },
      version: 'sim',
      clock,
      random: this.random,
      observer: silentReplicationObserver,
      edgeObserver: silentEdgeObserver,
      upstreams: [{ name: 'o', upstream: this.link.upstream() }],
      copyStore,
      cacheStore,
      replicate: this.#replicate,
      feedValues: { kind: 'inline', bytesMax: 6 },
    });
  }
}
