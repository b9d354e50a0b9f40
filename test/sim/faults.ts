import type { SeededRandom } from '../support/seeded-random.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import type { Coverage } from './coverage.ts';
import type { Direction } from './network/connection.ts';
import type { Cluster } from './nodes/cluster.ts';
import { EngineOrigin } from './nodes/engine-origin.ts';
import type { Process } from './nodes/process.ts';
import type { Oracles } from './oracles/oracles.ts';
import { OriginFaults } from './origin-faults.ts';

export interface Stage {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly cluster: Cluster;
  readonly oracles: Oracles;
  readonly coverage: Coverage;
}

/** Milliseconds that any clock is off, at the most. */
const stepMsMax = 30;
const directions: ReadonlyArray<readonly Direction[]> = [['there', 'back'], ['there'], ['back']];

/** Breaks one thing, and mends it after a while; some absences outlast the retention. */
export class Faults {
  readonly #stage: Stage;
  readonly #kinds: ReadonlyArray<() => void>;
  readonly #ofOrigins: OriginFaults;
  #over = false;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#ofOrigins = new OriginFaults(stage);
    const cut = () => this.#cut();
    const edge = () => this.#crashEdge();
    this.#kinds = [
      cut,
      cut,
      cut,
      edge,
      edge,
      () => this.#slow(),
      () => this.#slowAnswers(),
      () => this.#crashOrigin(),
      () => this.#failSync(),
      () => this.#stepClock(),
      ...this.#ofOrigins.kinds,
    ];
  }

  /** What was asked of the cluster and has yet to be done. */
  get underWay(): number {
    return this.#ofOrigins.removalsUnderWay;
  }

  /** True where that may take a minute more. */
  get waitsForReports(): boolean {
    return this.#ofOrigins.waitsForReports;
  }

  /** No disk of an origin is put back to an older image, lost, or copied. */
  keepDisks(): void {
    this.#ofOrigins.keepsDisks = true;
  }

  /** Origins restart so often within so many milliseconds, besides what is injected. */
  restartOrigins(times: number, withinMs: number): void {
    this.#ofOrigins.restart(times, withinMs);
  }

  inject(): void {
    this.#ofOrigins.takeImages();
    this.#stage.random.pick(this.#kinds)();
  }

  /** Mends everything, and breaks nothing more. */
  end(): void {
    const { cluster } = this.#stage;
    this.#over = true;
    this.#ofOrigins.end();
    for (const { path } of cluster.paths) {
      path.mend();
      path.slowMs = 0;
      path.slowAnswersMs = 0;
    }
    for (const process of cluster.processes) {
      for (const disk of process.disks) disk.nextCommitFails = undefined;
      void process.start();
    }
  }

  #cut(): void {
    const { random, cluster } = this.#stage;
    const { name, path } = random.pick(cluster.paths);
    const how = random.chance(0.3) ? ('reset' as const) : ('silent' as const);
    const which = how === 'reset' ? ['there' as const, 'back' as const] : random.pick(directions);
    path.cut(which, how);
    this.#lasts(`${name} ${how} ${which.join(' and ')}`, `cut ${how} ${which.join(' ')}`, () => path.mend());
  }

  #slow(): void {
    const { random, cluster } = this.#stage;
    const { name, path } = random.pick(cluster.paths);
    path.slowMs = random.pick([30, 60, 150]);
    this.#lasts(`${name} reads slowly`, 'slow reader', () => {
      path.slowMs = 0;
    });
  }

  #slowAnswers(): void {
    const { random, cluster } = this.#stage;
    const { name, path } = random.pick(cluster.paths);
    path.slowAnswersMs = random.pick([30, 80, 200]);
    this.#lasts(`${name} answers slowly`, 'slow answers', () => {
      path.slowAnswersMs = 0;
    });
  }

  #crashEdge(): void {
    const { random, cluster, oracles } = this.#stage;
    const edge = random.pick(cluster.edges);
    if (edge.node === undefined) return;
    oracles.checkEdge(edge);
    edge.crash(random.chance(0.5) ? 'process' : 'power');
    const wiped = random.chance(0.2);
    if (wiped) for (const disk of edge.disks) disk.wipe();
    this.#lasts(`${edge.name} crashes${wiped ? ', wiped' : ''}`, wiped ? 'edge wiped' : 'edge crashed', () =>
      start(edge),
    );
  }

  #crashOrigin(): void {
    const { random, cluster } = this.#stage;
    const origin = random.pick(cluster.origins);
    if (origin.node === undefined) return;
    origin.crash(random.chance(0.5) ? 'process' : 'power');
    this.#lasts(`${origin.name} crashes`, 'origin crashed', () => start(origin), random.between(10, 300));
  }

  /** The next commit fails: it is lost, or on the disk all the same (rule R2). */
  #failSync(): void {
    const { random, cluster } = this.#stage;
    const process = random.chance(0.6) ? random.pick(cluster.origins) : random.pick(cluster.edges);
    const disk = random.pick(process.disks);
    const outcome = random.chance(0.5) ? 'lost' : 'kept';
    if (process instanceof EngineOrigin) process.database.fates.push(outcome === 'lost' ? 'before' : 'after');
    else disk.nextCommitFails = outcome;
    this.#note(`a commit of ${process.name} fails`, 'commit to fail');
  }

  #stepClock(): void {
    const { random, cluster } = this.#stage;
    const process = random.pick(cluster.processes);
    process.stepClock(random.between(-stepMsMax, stepMsMax));
    this.#note(`the clock of ${process.name} is off by ${process.skewMs} ms`, 'clock stepped');
  }

  #lasts(line: string, counted: string, mend: () => void, lastsMs = this.#duration()): void {
    this.#note(`${line} for ${lastsMs} ms`, counted);
    this.#stage.time.at(lastsMs, () => {
      if (!this.#over) mend();
    });
  }

  #duration(): number {
    const { random } = this.#stage;
    return random.chance(0.3) ? random.between(700, 1800) : random.between(10, 250);
  }

  #note(line: string, counted: string): void {
    this.#stage.oracles.trace.note(() => `fault: ${line}`);
    this.#stage.coverage.count(`fault: ${counted}`);
  }
}

function start(process: Process<unknown>): void {
  void process.start();
}
