import type { Upstream } from '../../../src/model/upstream.ts';
import { MemoryDisk, type MemoryStore } from '../../support/memory-store.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import { VirtualClock, type VirtualTime } from '../../support/virtual-time.ts';

export interface World {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
}

/** Milliseconds after which a process that could not start is started again. */
const restartMs = 50;

/** One process that can be crashed and started again over the same disks. */
export abstract class Process<N> {
  readonly name: string;
  disks: readonly MemoryDisk[];
  /** Milliseconds by which this machine's wall clock is off; it survives restarts. */
  skewMs = 0;
  protected readonly time: VirtualTime;
  protected readonly random: SeededRandom;
  /** Told of each step of its clock. */
  onClockStepped: (skewMs: number) => void = () => {};
  readonly #syncMsMax: number;
  readonly #onCrash: Array<(how: 'process' | 'power') => void> = [];
  #node: N | undefined;
  #clock: VirtualClock | undefined;
  #stores: MemoryStore[] = [];
  #wait: () => Promise<void> = async () => {};
  /** Rises with each start and crash, so that a start which a crash overtook is not taken for running. */
  #incarnation = 0;

  constructor(name: string, { time, random }: World, { disks, syncMsMax }: { disks: number; syncMsMax: number }) {
    this.name = name;
    this.time = time;
    this.random = random.fork();
    this.#syncMsMax = syncMsMax;
    this.disks = Array.from({ length: disks }, () => new MemoryDisk());
  }

  /** Undefined while it is down or starting. */
  get node(): N | undefined {
    return this.#node;
  }

  /** What answers at its address. */
  get reached(): N | Upstream | undefined {
    return this.node;
  }

  async start(): Promise<void> {
    if (this.#clock !== undefined) return;
    const incarnation = ++this.#incarnation;
    const crashed = () => incarnation !== this.#incarnation;
    const clock = new VirtualClock(this.time, this.skewMs);
    const wait = () => this.time.wait(this.random.fraction() * this.#syncMsMax);
    this.#clock = clock;
    this.#wait = wait;
    this.#stores = [];
    try {
      const node = await this.open(clock);
      if (!crashed()) this.#node = node;
    } catch {
      if (crashed()) return;
      this.crash();
      this.time.at(restartMs, () => void this.start());
    }
  }

  /** Nothing of the process has an effect from now on; its connections end at once, or are not heard of again. */
  crash(how: 'process' | 'power' = 'process'): void {
    this.#incarnation++;
    this.#node = undefined;
    this.#clock?.stop();
    this.#clock = undefined;
    for (const store of this.#stores) store.crash(how);
    this.#stores = [];
    for (const run of this.#onCrash) run(how);
  }

  onCrash(run: (how: 'process' | 'power') => void): void {
    this.#onCrash.push(run);
  }

  stepClock(skewMs: number): void {
    this.skewMs = skewMs;
    this.onClockStepped(skewMs);
    if (this.#clock !== undefined) this.#clock.skewMs = skewMs;
  }

  /** A store over a disk, for as long as the process lives. */
  protected openStore(disk: MemoryDisk): MemoryStore {
    const store = disk.open(this.#wait);
    this.#stores.push(store);
    return store;
  }

  protected abstract open(clock: VirtualClock): Promise<N>;
}
