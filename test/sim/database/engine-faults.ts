import type { DiskImage } from '../../support/memory-origin-stores.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import type { Stage } from '../faults.ts';
import type { Direction } from '../network/connection.ts';
import type { EngineHost } from '../nodes/engine-host.ts';
import type { EngineOrigin } from '../nodes/engine-origin.ts';
import type { Fate } from './simulated-database.ts';

const directions: ReadonlyArray<readonly Direction[]> = [['there', 'back'], ['there'], ['back']];
const fates: readonly Fate[] = ['before', 'after', 'late', 'late', 'aborted', 'warned'];
/** Milliseconds by which the clock of a database jumps. */
const jumpsMs = [-3_600_000, -500, 500, 3_600_000];
/** Milliseconds between two of these faults. */
const [leastMs, mostMs] = [30, 500];

/**
 * What happens to an origin over a database: commits whose outcome nobody is told, processes that stand still past their lease,
 * are cut off from the database, stopped or killed, and databases that crash, whose clock jumps, or that lose their last commits.
 */
export class EngineFaults {
  readonly #stage: Stage;
  readonly #engine: EngineOrigin;
  readonly #random: SeededRandom;
  #over = false;
  /** True where the database loses nothing. */
  keepsCommits = false;

  constructor(stage: Stage, engine: EngineOrigin, seed: number) {
    this.#stage = stage;
    this.#engine = engine;
    this.#random = new SeededRandom(seed ^ 0xe691e);
  }

  begin(): void {
    this.#stage.time.at(this.#random.between(leastMs, mostMs), () => {
      if (this.#over) return;
      this.#random.pick([
        () => this.#loseAnswers(),
        () => this.#loseAnswers(),
        () => this.#cutOff(),
        () => this.#pause(),
        () => this.#killOne(),
        () => this.#stopOne(),
        () => this.#crashDatabase(),
        () => this.#loseCommits(),
        () => this.#jump(),
      ])();
      this.begin();
    });
  }

  /** Mends everything, and breaks nothing more. */
  end(): void {
    this.#over = true;
    const { database, hosts } = this.#engine;
    database.fates.splice(0);
    database.isAway = false;
    for (const host of hosts) {
      this.#resume(host);
      host.line.mend();
      void host.start();
    }
  }

  /** Of the next commits, one after the other. */
  #loseAnswers(): void {
    const random = this.#random;
    const next = Array.from({ length: random.between(1, 4) }, () => random.pick(fates));
    this.#engine.database.fates.push(...next);
    for (const fate of next) this.#note(`a commit ends: ${fate}`, `commit ends ${fate}`);
  }

  #cutOff(): void {
    const random = this.#random;
    const host = random.pick(this.#engine.hosts);
    const how = random.chance(0.3) ? ('reset' as const) : ('silent' as const);
    const which = random.pick(directions);
    host.line.cut(which, how);
    const line = `${host.host} and the database: ${how} ${which.join(' and ')}`;
    this.#lasts(line, `cut from the database, ${how}`, this.#duration(), () => host.line.mend());
  }

  /** Nothing of it moves, and nothing reaches it; then all arrives at once. */
  #pause(): void {
    const { cluster } = this.#stage;
    const host = this.#random.pick(this.#engine.hosts);
    if (host.isPaused) return;
    host.pause();
    host.line.cut(['there', 'back'], 'silent');
    for (const path of cluster.pathsOf(host.host)) path.cut(['there', 'back']);
    this.#lasts(`${host.host} stands still`, 'process stands still', this.#duration(), () => this.#resume(host));
  }

  #resume(host: EngineHost): void {
    if (!host.isPaused) return;
    for (const path of this.#stage.cluster.pathsOf(host.host)) path.mend();
    host.line.mend();
    host.resume();
  }

  #killOne(): void {
    const random = this.#random;
    const host = random.pick(this.#engine.hosts);
    host.crash(random.chance(0.5) ? 'process' : 'power');
    this.#lasts(`${host.host} is killed`, 'process killed', random.between(1, 300), () => void host.start());
  }

  #stopOne(): void {
    const random = this.#random;
    const host = random.pick(this.#engine.hosts);
    const lastsMs = random.between(1, 300);
    this.#note(`${host.host} is stopped`, 'process stopped');
    void host.stop().then(() => this.#stage.time.at(lastsMs, () => void host.start()));
  }

  #crashDatabase(): void {
    const { database } = this.#engine;
    database.crash();
    database.isAway = true;
    this.#lasts('the database is away', 'database away', this.#duration(), () => {
      database.isAway = false;
    });
  }

  /** A replica that lagged takes over, and whoever was connected connects anew. */
  #loseCommits(): void {
    const { oracles } = this.#stage;
    const { database, stores, name } = this.#engine;
    const back = this.#random.between(1, 4);
    const earlier = database.earlier.at(-back);
    if (this.keepsCommits || earlier === undefined || !this.#engine.hasServed) return;
    const image = stores.imageOf(earlier);
    // Before the cluster was founded there is none to go on with: whoever is started then founds another one.
    if (!isFounded(image)) return;
    stores.putBack(image);
    oracles.put(name, image);
    this.#note(`the database loses ${back} commits`, 'database loses commits');
  }

  #jump(): void {
    const { database } = this.#engine;
    database.skewMs = this.#random.pick(jumpsMs);
    this.#note(`the clock of the database is off by ${database.skewMs} ms`, 'clock of the database jumps');
  }

  #duration(): number {
    const random = this.#random;
    return random.chance(0.3) ? random.between(300, 900) : random.between(5, 250);
  }

  #lasts(line: string, counted: string, lastsMs: number, mend: () => void): void {
    this.#note(`${line} for ${lastsMs} ms`, counted);
    this.#stage.time.at(lastsMs, () => {
      if (!this.#over) mend();
    });
  }

  #note(line: string, counted: string): void {
    this.#stage.oracles.trace.note(() => `fault: ${line}`);
    this.#stage.coverage.count(`fault: ${counted}`);
  }
}

function isFounded({ present }: DiskImage): boolean {
  const identity = present.meta.get('origin/identity');
  return identity !== undefined && 'clusterId' in JSON.parse(Buffer.from(identity).toString());
}
