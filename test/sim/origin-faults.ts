import { isMeridianError } from '../../src/model/errors.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { OriginId } from '../../src/model/position.ts';
import type { Stage } from './faults.ts';
import type { OriginProcess } from './nodes/origin-process.ts';
import { coveredBy } from './oracles/disks.ts';
import { noSignal } from './workload/no-signal.ts';

/** Milliseconds between an operator's tries to remove an origin, and for one of them. */
const retryMs = 100;
const askMs = 1000;

/** What happens where there are several origins: long absences, and in each history the loss of one disk or identity. */
export class OriginFaults {
  readonly #stage: Stage;
  #lossHappened = false;
  #over = false;
  /** Removals that an operator has not been told of as done. */
  #asked = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  get kinds(): ReadonlyArray<() => void> {
    if (this.#stage.cluster.origins.length < 2) return [];
    const loss = () => this.#loseOne();
    return [() => this.#leave(), () => this.#cutOff(), () => this.#part(), loss];
  }

  get removalsUnderWay(): number {
    return this.#asked;
  }

  end(): void {
    this.#over = true;
  }

  /** Away for longer than tombstones are kept. */
  #leave(): void {
    const { random, cluster } = this.#stage;
    const origin = random.pick(cluster.origins);
    if (origin.node === undefined) return;
    origin.crash(random.chance(0.5) ? 'process' : 'power');
    this.#lasts(`${origin.name} is away`, 'origin away', random.between(300, 1800), () => void origin.start());
  }

  /** Nobody reaches it, nor does it reach anybody. */
  #cutOff(): void {
    const { random, cluster } = this.#stage;
    const { name } = random.pick(cluster.origins);
    const paths = cluster.pathsOf(name);
    for (const path of paths) path.cut(['there', 'back']);
    this.#lasts(`${name} is cut off`, 'origin cut off', random.between(50, 1500), () => {
      for (const path of paths) path.mend();
    });
  }

  /** Two origins do not reach each other; what they write goes through the others. */
  #part(): void {
    const { random, cluster } = this.#stage;
    const one = random.pick(cluster.origins).name;
    const other = random.pick(cluster.origins.filter(({ name }) => name !== one)).name;
    const paths = cluster.pathsOf(one).filter((path) => cluster.pathsOf(other).includes(path));
    for (const path of paths) path.cut(['there', 'back']);
    this.#lasts(`${one} and ${other} are parted`, 'origins parted', random.between(50, 1800), () => {
      for (const path of paths) path.mend();
    });
  }

  #loseOne(): void {
    const { random, cluster } = this.#stage;
    const origin = random.pick(cluster.origins);
    if (this.#lossHappened || !cluster.origins.every(({ node }) => node?.serves)) return;
    this.#lossHappened = true;
    random.pick([() => this.#wipe(origin), () => this.#remove(origin), () => this.#rollBack(origin)])();
  }

  /** It joins as a new one; the old one is removed by an operator after a while. */
  #wipe(origin: OriginProcess): void {
    const { random, cluster, oracles } = this.#stage;
    const { id } = origin;
    origin.crash('power');
    origin.disk.wipe();
    oracles.history?.put(origin.name);
    origin.peers = cluster.origins.map(({ name }) => name).filter((name) => name !== origin.name);
    this.#lasts(`${origin.name} is wiped`, 'origin wiped', random.between(20, 500), () => void origin.start());
    this.#stage.time.at(random.between(50, 900), () => void this.#retire(id, origin));
  }

  /** It is cut off, and removed while it lives. */
  #remove(origin: OriginProcess): void {
    const { random, cluster, time } = this.#stage;
    const paths = cluster.pathsOf(origin.name);
    for (const path of paths) path.cut(['there', 'back']);
    this.#lasts(`${origin.name} is cut off, and removed`, 'origin removed', random.between(300, 1500), () => {
      for (const path of paths) path.mend();
    });
    time.at(random.between(20, 290), () => void this.#retire(origin.id, origin));
  }

  /** An image that was taken of its disk is put back. */
  #rollBack(origin: OriginProcess): void {
    const { random, oracles, time } = this.#stage;
    const { id, disk } = origin;
    const image = disk.synced;
    time.at(random.between(50, 800), () => {
      if (this.#over || id === undefined || origin.id !== id) return;
      origin.crash('power');
      disk.synced = image;
      disk.visible = image;
      const sequence = coveredBy(image).get(id) ?? 0;
      oracles.history?.put(origin.name, { records: image.records.values(), sequence });
      this.#lasts(`${origin.name} is rolled back to ${sequence}`, 'origin rolled back', random.between(10, 300), () => {
        void origin.start();
      });
    });
  }

  async #retire(id: OriginId | undefined, except: OriginProcess): Promise<void> {
    const { random, cluster, time, oracles } = this.#stage;
    const { history } = oracles;
    const isKnown = () => {
      const isRetired = id !== undefined && history?.isRetired(id) === true;
      return !isRetired && history?.latest(registryNamespace, `origin/${id}`) !== undefined;
    };
    this.#asked++;
    for (let removed = id === undefined; !removed; ) {
      const at = random.pick(cluster.origins.filter((origin) => origin !== except));
      const call = { deadlineMs: time.nowMs + askMs, signal: noSignal };
      const asked = at.node?.retire({ name: id ?? '', force: false }, call);
      // Whoever is asked may crash, and never answer.
      const late = time.wait(askMs + retryMs).then(() => undefined);
      removed = await Promise.race([asked ?? Promise.resolve(undefined), late]).then(
        (done) => done !== undefined,
        (error: Error) => {
          oracles.trace.note(() => `operator: ${at.name} does not remove ${id}: ${error.message}`);
          // Who has not heard of an origin knows none of that name: another one is asked, while any has.
          return isMeridianError(error, 'NOT_FOUND') && !isKnown();
        },
      );
      if (removed) oracles.trace.note(() => `operator: ${at.name} removed ${id}`);
      await time.wait(retryMs);
    }
    this.#asked--;
  }

  #lasts(line: string, counted: string, lastsMs: number, mend: () => void): void {
    const { oracles, coverage, time } = this.#stage;
    oracles.trace.note(() => `fault: ${line} for ${lastsMs} ms`);
    coverage.count(`fault: ${counted}`);
    time.at(lastsMs, () => {
      if (!this.#over) mend();
    });
  }
}
