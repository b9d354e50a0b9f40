import type { LogId, MemberId } from '../../../src/model/position.ts';
import type { Origin } from '../../../src/origin/origin.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import { DatabaseDisks } from '../database/database-disks.ts';
import { SimulatedDatabase } from '../database/simulated-database.ts';
import { type EngineBounds, EngineHost } from './engine-host.ts';
import { type OriginMore, OriginProcess } from './origin-process.ts';
import type { World } from './process.ts';
import type { OriginPlan } from './topology.ts';

/**
 * An origin over a database: one member, and several processes of which one at a time is to be it. As a whole it crashes and
 * starts like any origin; whoever asks it reaches one of those that take themselves for it.
 */
export class EngineOrigin extends OriginProcess {
  override readonly stores: DatabaseDisks;
  readonly hosts: readonly EngineHost[];
  readonly database: SimulatedDatabase;
  /** The process that took the lease, by the lease, as nobody else knows. */
  readonly #takers = new Map<string, string>();
  #newest: EngineHost | undefined;
  #turn = 0;
  /** Told when a process hears how often there was a commit, which it may not have known of one that it asked for. */
  onHeard: (commits: number) => void = () => {};
  /** Told when a process stores something that does not hold the lease. */
  onStolen: (line: string) => void = () => {};

  constructor(plan: OriginPlan, world: World, more: OriginMore) {
    const stores = new DatabaseDisks();
    super(plan, world, { ...more, stores });
    this.stores = stores;
    const { name, hosts = [] } = plan;
    this.database = new SimulatedDatabase(this.time, {
      committed: (before, after, owner) => {
        const taker = this.#takers.get(before.writer.lease);
        if (taker !== owner) this.onStolen(`${owner} stores something, and ${taker} holds the lease`);
        stores.show(before, after);
      },
      heard: (commits) => this.onHeard(commits),
      taken: (owner, lease) => this.#takers.set(lease, owner),
      views: (open) => {
        stores.present.snapshotsOpen = open;
      },
      defect: (error) => this.onStolen(`the simulation of the database: ${(error as Error).stack ?? error}`),
    });
    stores.database = this.database;
    const bounds = drawBounds(this.random.fork());
    const opened = (host: EngineHost) => {
      this.#newest = host;
    };
    const shared = { ...more, stores, database: this.database, bounds, keptApart: this.keptApart, opened };
    this.hosts = hosts.map((host) => new EngineHost({ host, name }, world, shared));
  }

  /** How often there was a commit. */
  get commits(): number {
    return this.database.tables.writer.commits;
  }

  override get node(): Origin | undefined {
    const up = this.hosts.filter(({ node, isPaused }) => node !== undefined && !isPaused);
    return up[this.#turn++ % up.length]?.node;
  }

  override get hasServed(): boolean {
    return this.hosts.some(({ hasServed }) => hasServed);
  }

  override get id(): MemberId | undefined {
    return this.#newest?.id;
  }

  override get log(): LogId | undefined {
    return this.#newest?.log;
  }

  override async start(): Promise<void> {
    const started = this.hosts.map((host) => host.start());
    // One of them is enough.
    await Promise.race(started);
  }

  override crash(how: 'process' | 'power' = 'process'): void {
    for (const host of this.hosts) host.crash(how);
  }

  override onCrash(run: (how: 'process' | 'power') => void): void {
    for (const host of this.hosts) host.onCrash(run);
  }

  /** Each host has a clock of its own: one alone jumps, the holder's, as two that are wrong in the same way count as right. */
  override stepClock(skewMs: number): void {
    super.stepClock(skewMs);
    const jumping = Math.abs(skewMs) > jumpMs ? this.hosts.filter((host) => host === this.#newest) : this.hosts;
    for (const host of jumping) host.stepClock(skewMs);
  }
}

/** Milliseconds: who is off by more has a clock that jumped. */
const jumpMs = 1_000;

function drawBounds(random: SeededRandom): EngineBounds {
  const leaseMs = random.pick([40, 80, 160]);
  return {
    leaseMs,
    leaseMsMax: 2 * leaseMs,
    statementMsMax: random.pick([80, 160]),
    connectMsMax: 60,
    commitMsMax: random.pick([150, 400]),
    connectionsMax: random.pick([7, 16]),
    snapshotMsMax: random.pick([1_000, 100_000]),
    sliceBytesMax: random.pick([60, 1_000_000]),
    sliceRowsMax: random.pick([1, 3, 5_000]),
  };
}
