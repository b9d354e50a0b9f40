import { Edge } from '../../../src/edge/edge.ts';
import { edgeDefaults } from '../../../src/edge/edge-options.ts';
import type { NamedUpstream } from '../../../src/edge/upstreams.ts';
import type { Upstream } from '../../../src/model/upstream.ts';
import { PostgresStores } from '../../../src/node/postgres/postgres-stores.ts';
import type { OriginStores } from '../../../src/origin/origin-options.ts';
import { sleep } from '../../../src/runtime/clock.ts';
import { PostgresDatabase } from '../../../src/store/postgres/postgres-database.ts';
import { type PostgresOptions, postgresDefaults } from '../../../src/store/postgres/postgres-options.ts';
import { MemoryDisk } from '../../support/memory-store.ts';
import type { VirtualClock } from '../../support/virtual-time.ts';
import type { DatabaseDisks } from '../database/database-disks.ts';
import { DatabaseLine } from '../database/database-line.ts';
import type { SimulatedDatabase } from '../database/simulated-database.ts';
import { SimulatedSession } from '../database/simulated-session.ts';
import { type OriginMore, OriginProcess } from './origin-process.ts';
import type { World } from './process.ts';

/** Milliseconds between looks of a standby. */
const lookMs = 15;
/** Milliseconds that giving the lease back may take before the process ends all the same. */
const stopMsMax = 60;

/** What bounds a process over a database. */
export type EngineBounds = Omit<PostgresOptions, 'place' | 'clock' | 'random' | 'observer' | 'holder' | 'address'>;

export interface EngineMore extends OriginMore {
  readonly stores: DatabaseDisks;
  readonly database: SimulatedDatabase;
  readonly bounds: EngineBounds;
  /** Told when it holds the database, and runs as its origin. */
  readonly opened: (host: EngineHost) => void;
}

/**
 * One of the processes with one database: it stands by until the lease is free, then runs as the origin, and is started again
 * once it lost the lease (src/node/postgres/origin-starter.ts). What decides on the lease and on commits is the product's code.
 */
export class EngineHost extends OriginProcess {
  readonly host: string;
  readonly line: DatabaseLine;
  readonly #more: EngineMore;
  #database: PostgresDatabase | undefined;
  #clock: VirtualClock | undefined;
  #runs = 0;
  #standby: Edge | undefined;
  /** The other processes, as this one reaches them. */
  others: readonly NamedUpstream[] = [];
  /** True while it stands still. */
  isPaused = false;

  /** @param host names the process; `name` is the member's */
  constructor({ host, name }: { readonly host: string; readonly name: string }, world: World, more: EngineMore) {
    super({ name }, world, more);
    this.host = host;
    this.#more = more;
    this.line = new DatabaseLine({ time: this.time, random: this.random.fork() });
  }

  /** Nothing of it moves; what was to happen meanwhile happens afterwards. */
  pause(): void {
    this.isPaused = true;
    this.#clock?.hold();
  }

  resume(): void {
    this.isPaused = false;
    this.#clock?.goOn();
  }

  /** What answers here while another process holds the database. */
  get standby(): Edge | undefined {
    return this.#standby;
  }

  override get reached(): Upstream | undefined {
    return this.node ?? this.#standby;
  }

  override crash(how: 'process' | 'power' = 'process'): void {
    this.#runs++;
    this.#database = undefined;
    this.#standby = undefined;
    super.crash(how);
    this.line.break();
  }

  /** Gives the lease back, and ends. Does not start again by itself. */
  async stop(): Promise<void> {
    const run = this.#runs;
    const closing = this.#database?.close().catch(() => {});
    await Promise.race([closing, this.time.wait(stopMsMax)]);
    if (run === this.#runs) this.crash();
  }

  protected override async openStores(clock: VirtualClock): Promise<OriginStores> {
    const run = this.#runs;
    this.#clock = clock;
    if (this.isPaused) clock.hold();
    const client = {
      database: this.#more.database,
      line: this.line,
      owner: `${this.host} ${run}`,
      isGone: () => run !== this.#runs,
    };
    const lost = () => this.time.at(0, () => void this.#startAgain(run));
    const database = new PostgresDatabase(this.#options(clock), { lost }, (options) =>
      SimulatedSession.connect(client, options),
    );
    this.#database = database;
    // Where the database is away, the next look tries again.
    const isTaken = async () => (await database.take().catch(() => undefined)) === 'taken';
    if (!(await isTaken())) {
      const standby = await this.#standBy(clock);
      if (run === this.#runs) this.#standby = standby;
      do await sleep(clock, lookMs, new AbortController().signal);
      while (!(await isTaken()));
      if (run === this.#runs) this.#standby = undefined;
      await standby.close();
    }
    return PostgresStores.open(database);
  }

  /** What it is meanwhile (src/node/postgres/start-standby.ts). */
  #standBy(clock: VirtualClock): Promise<Edge> {
    const { parameters, coverage } = this.#more;
    return Edge.open({
      ...edgeDefaults,
      ...parameters,
      probeIntervalMs: 50,
      silenceMsMax: 400,
      backoff: { firstMs: 5, mostMs: 80 },
      loadTimeoutMs: 300,
      identity: { name: this.host, region: 'r' },
      version: 'sim',
      clock,
      random: this.random,
      observer: coverage.replication('edge'),
      edgeObserver: coverage.edge(),
      upstreams: this.others,
      copyStore: this.openStore(new MemoryDisk()),
      cacheStore: this.openStore(new MemoryDisk()),
      replicate: [],
      standsBy: true,
      feedValues: { kind: 'inline', bytesMax: parameters.inlineBytesMax },
    });
  }

  protected override fenced(): string | undefined {
    return this.#database?.holds === true
      ? undefined
      : 'the database does not confirm that this process still holds it';
  }

  protected override hasOpened(): void {
    this.#more.opened(this);
  }

  #options(clock: VirtualClock): PostgresOptions {
    const { coverage, bounds } = this.#more;
    return {
      ...bounds,
      place: { connectionString: '', schema: 'meridian', shown: 'postgres://db' },
      clock,
      random: this.random,
      holder: this.host,
      address: '',
      observer: {
        ...postgresDefaults.observer,
        commitRetried: () => coverage.count('engine: commit looked up or tried again'),
        leaseTaken: () => coverage.count('engine: lease taken'),
        leaseLost: () => coverage.count('engine: lease lost'),
        tailLost: () => coverage.count('engine: lost commits noticed'),
      },
    };
  }

  async #startAgain(run: number): Promise<void> {
    if (run !== this.#runs) return;
    await this.stop();
    void this.start();
  }
}
