import { isMeridianError } from '../../src/model/errors.ts';
import { mapKey } from '../../src/model/key.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import type { MemberId } from '../../src/model/position.ts';
import { logKeys } from '../../src/replication/logs.ts';
import { memberKeys } from '../../src/replication/members.ts';
import type { DiskImage } from '../support/memory-origin-stores.ts';
import type { Stage } from './faults.ts';
import type { OriginProcess } from './nodes/origin-process.ts';
import { noSignal } from './workload/no-signal.ts';

/** Milliseconds between an operator's tries to remove an origin, and for one of them. */
const retryMs = 100;
const askMs = 1000;
/** Milliseconds between an operator's looks at who is registered. */
const lookMs = 250;
/** Images that are kept of each origin's disk. */
const imagesMax = 6;

/** An image of an origin's disk, and whose it is. */
interface Taken {
  readonly image: DiskImage;
  readonly id: MemberId;
  /** It had served by then: a copy of one that waits to be let in, and is told of no peer, waits for ever. */
  readonly served: boolean;
}

/**
 * What happens to origins: they restart again and again, are away for long, or find an older image on their disk; and where
 * there are several, one loses its disk, is removed while it lives, or is copied.
 */
export class OriginFaults {
  readonly #stage: Stage;
  readonly #images = new Map<string, Taken[]>();
  #lossHappened = false;
  #over = false;
  /** Removals that an operator has not been told of as done. */
  #asked = 0;
  #isReported = false;
  /** What was removed: a disk that is put back may know it again, and hear of it from nobody. */
  readonly #removed = new Set<MemberId>();
  /** Those whose disk is a copy of another one's, taken for it or not: no image of theirs is their own. */
  readonly #copies = new Set<OriginProcess>();
  /** Whose disk was copied. */
  #copied: OriginProcess | undefined;
  /** True where no disk is put back to an older image, lost, or copied. */
  keepsDisks = false;

  constructor(stage: Stage) {
    this.#stage = stage;
    stage.time.at(lookMs, () => this.#look());
  }

  get kinds(): ReadonlyArray<() => void> {
    const rollBack = () => this.#rollBackOne();
    if (this.#stage.cluster.origins.length < 2) return [rollBack];
    const loss = () => this.#loseOne();
    return [() => this.#leave(), () => this.#cutOff(), () => this.#part(), loss, rollBack, () => this.#rollBackTwo()];
  }

  get removalsUnderWay(): number {
    return this.#asked;
  }

  /** True where a removal waits until a report to an initiator that is lost, or was put back, ends: a minute after it was made. */
  get waitsForReports(): boolean {
    return this.#asked > 0 && this.#isReported;
  }

  /** Every origin is restarted so often within so many milliseconds, whatever else happens. */
  restart(times: number, withinMs: number): void {
    const { random, cluster, time, coverage } = this.#stage;
    for (const origin of cluster.origins) {
      for (let restart = 0; restart < times; restart++) {
        time.at(random.between(0, withinMs), () => {
          if (this.#over || origin.node === undefined) return;
          origin.crash(random.chance(0.7) ? 'process' : 'power');
          coverage.count('fault: origin restarted');
          time.at(random.between(1, 15), () => void origin.start());
        });
      }
    }
  }

  /** Somebody takes an image of each disk now and then. */
  takeImages(): void {
    const { random, cluster } = this.#stage;
    for (const origin of cluster.origins) {
      const { name, id, stores, node } = origin;
      if (id === undefined || random.chance(0.6) || this.#copies.has(origin)) continue;
      const images = this.#images.get(name) ?? [];
      images.push({ image: stores.image(), id, served: node?.serves === true });
      if (images.length > imagesMax) images.splice(random.between(0, imagesMax - 1), 1);
      this.#images.set(name, images);
    }
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
    if (this.keepsDisks || this.#lossHappened || !this.#allServe) return;
    this.#lossHappened = true;
    random.pick([
      () => this.#wipe(origin),
      () => this.#remove(origin),
      () => this.#removeWhileAway(origin),
      () => this.#copy(origin),
    ])();
  }

  get #allServe(): boolean {
    return this.#stage.cluster.origins.every(({ node }) => node?.serves);
  }

  /** It joins as a new one; the old one is removed by an operator after a while. */
  #wipe(origin: OriginProcess): void {
    const { random, time } = this.#stage;
    const { id } = origin;
    this.#empty(origin);
    this.#lasts(`${origin.name} is wiped`, 'origin wiped', random.between(20, 500), () => void origin.start());
    time.at(random.between(50, 900), () => void this.#removeFromCluster(id, origin));
  }

  /** The process ends, and nothing is left of its disk. */
  #empty(origin: OriginProcess): void {
    const { cluster, oracles } = this.#stage;
    origin.crash('power');
    origin.stores.wipe();
    oracles.put(origin.name);
    origin.peers = cluster.origins.map(({ name }) => name).filter((name) => name !== origin.name);
  }

  /** It is cut off, and removed while it lives. */
  #remove(origin: OriginProcess): void {
    const { random, cluster, time } = this.#stage;
    const paths = cluster.pathsOf(origin.name);
    for (const path of paths) path.cut(['there', 'back']);
    this.#lasts(`${origin.name} is cut off, and removed`, 'origin removed', random.between(300, 1500), () => {
      for (const path of paths) path.mend();
    });
    time.at(random.between(20, 290), () => void this.#removeFromCluster(origin.id, origin, true));
  }

  /** It is lost for good, and removed while another one is away. */
  #removeWhileAway(origin: OriginProcess): void {
    const { random, cluster } = this.#stage;
    const away = cluster.origins.find(({ name }) => name !== origin.name);
    if (cluster.origins.length > 2 && away !== undefined) {
      away.crash('power');
      const lastsMs = random.between(100, 1200);
      this.#lasts(`${away.name} is away`, 'origin away during a removal', lastsMs, () => void away.start());
    }
    this.#wipe(origin);
  }

  /**
   * An image of one origin's disk is started in the place of another, under the same id. Whoever finds out stops; the
   * operator then takes the copy away, and what it had taken the place of.
   */
  #copy(origin: OriginProcess): void {
    const { random, cluster, oracles, time } = this.#stage;
    const images = this.#images.get(origin.name)?.filter(({ id, served }) => served && id === origin.id) ?? [];
    const others = cluster.origins.filter(({ name }) => name !== origin.name);
    if (images.length === 0) return;
    const { image } = random.pick(images);
    const copy = random.pick(others);
    const { id } = copy;
    copy.crash('power');
    copy.stores.putBack(image);
    oracles.put(copy.name, image);
    oracles.copied();
    this.#copies.add(copy);
    this.#copied = origin;
    const takeAway = () => {
      if (!this.#copies.delete(copy)) return;
      oracles.trace.note(() => `operator: takes the copy at ${copy.name} away`);
      this.#empty(copy);
      time.at(20, () => void copy.start());
    };
    for (const process of [origin, copy]) process.onReplaced = takeAway;
    const line = `${copy.name} is started as a copy of ${origin.name}`;
    this.#lasts(line, 'origin copied', random.between(10, 300), () => void copy.start());
    time.at(random.between(50, 900), () => void this.#removeFromCluster(id, copy));
  }

  #rollBackOne(): void {
    this.#rollBack([this.#stage.random.pick(this.#stage.cluster.origins)]);
  }

  #rollBackTwo(): void {
    const { random, cluster } = this.#stage;
    const one = random.pick(cluster.origins);
    const other = random.pick(cluster.origins.filter(({ name }) => name !== one.name));
    this.#rollBack([one, other]);
  }

  /**
   * Any image that was taken of their disks is put back, also one of a member that the cluster has removed since; one that had
   * yet to serve, only where another member serves it. Where nobody is left who ever served, the operator rebuilds.
   */
  #rollBack(rolledBack: readonly OriginProcess[]): void {
    if (this.keepsDisks || !this.#allServe) return;
    const others = this.#stage.cluster.origins.filter((origin) => !rolledBack.includes(origin));
    const { history } = this.#stage.oracles;
    const isServed = others.some((other) => {
      const isMember = other.id !== undefined && !history.isRemoved(other.id);
      return isMember && rolledBack.every(({ id }) => id !== other.id);
    });
    for (const origin of rolledBack) {
      // An image from when it ran as a copy of another one would make it that again.
      const runElsewhere = new Set(
        this.#stage.cluster.origins.flatMap((other) => (other === origin ? [] : [other.id])),
      );
      const images = this.#images.get(origin.name) ?? [];
      this.#putBack(
        origin,
        images.filter(({ served, id }) => (served || isServed) && !runElsewhere.has(id)),
      );
    }
  }

  /** As docs/ARCHITECTURE.md says in section 9: what a copy wrote that went unnoticed is void once the copied one opens again. */
  #restart(copied: OriginProcess | undefined): void {
    if (copied?.node === undefined) return;
    this.#stage.oracles.trace.note(() => `operator: restarts ${copied.name}, whose copy is gone`);
    copied.crash('process');
    this.#stage.time.at(10, () => void copied.start());
  }

  #putBack(origin: OriginProcess, images: readonly Taken[]): void {
    const { random, oracles, time } = this.#stage;
    const { id } = origin;
    if (images.length === 0 || id === undefined) return;
    const { image, id: before } = random.pick(images);
    origin.crash('power');
    origin.stores.putBack(image);
    oracles.put(origin.name, image, before);
    // Its disk is its own again: nobody takes it away any more.
    if (this.#copies.delete(origin)) this.#restart(this.#copied);
    if (before !== id) time.at(random.between(50, 300), () => void this.#removeFromCluster(id, origin));
    this.#lasts(`${origin.name} is put back`, 'origin put back', random.between(10, 300), () => void origin.start());
  }

  /** The operator looks at who is registered, and removes again who is gone. */
  #look(): void {
    const { cluster, time } = this.#stage;
    time.at(lookMs, () => this.#look());
    if (this.#asked > 0) return;
    const running = new Set(cluster.origins.map(({ id }) => id));
    for (const id of this.#removed) {
      const { member } = memberKeys;
      const knows = cluster.origins.find(({ disk: { visible } }) => {
        const registered = visible.records.get(mapKey(registryNamespace, member(id)));
        return registered !== undefined && !visible.records.has(mapKey(registryNamespace, logKeys.removed(id)));
      });
      if (knows !== undefined && !running.has(id)) void this.#removeFromCluster(id);
    }
  }

  /** @param evenAlive where it runs all the same; else the operator gives up once a disk that was put back runs as it */
  async #removeFromCluster(id: MemberId | undefined, except?: OriginProcess, evenAlive = false): Promise<void> {
    const { random, cluster, time, oracles } = this.#stage;
    const { history } = oracles;
    const isKnown = () => {
      if (id === undefined || history.isRemoved(id)) return false;
      return history.latest(registryNamespace, memberKeys.member(id)) !== undefined;
    };
    if (id === undefined) return;
    this.#asked++;
    this.#removed.add(id);
    const isBack = () => !evenAlive && cluster.origins.some((origin) => origin.node !== undefined && origin.id === id);
    for (let removed = false; !removed && !isBack(); ) {
      // As the documentation says: whoever was put back to before it knew a member that is down cannot tell what that one has.
      const asked = random.pick(cluster.origins.filter((origin) => origin !== except));
      const at = this.#knowsAll(asked) ? asked : undefined;
      const call = { deadlineMs: time.nowMs + askMs, signal: noSignal };
      const removal = at?.node?.removeMember({ name: id, force: false }, call);
      // Whoever is asked may crash, and never answer.
      const late = time.wait(askMs + retryMs).then(() => undefined);
      removed = await Promise.race([removal ?? Promise.resolve(undefined), late]).then(
        (done) => done !== undefined,
        (error: Error) => {
          oracles.trace.note(() => `operator: ${asked.name} does not remove ${id}: ${error.message}`);
          this.#isReported ||= isMeridianError(error) && error.details.reason === 'removal-open';
          // Who has not heard of an origin knows none of that name: another one is asked, while any has.
          return isMeridianError(error, 'NOT_FOUND') && !isKnown();
        },
      );
      if (removed) oracles.trace.note(() => `operator: ${asked.name} removed ${id}`);
      await time.wait(retryMs);
    }
    this.#asked--;
  }

  #knowsAll({ disk: { visible } }: OriginProcess): boolean {
    const { cluster, oracles } = this.#stage;
    return cluster.origins.every(({ id }) => {
      if (id === undefined || this.#removed.has(id)) return true;
      // Whom nobody has let in yet has written nothing.
      if (oracles.history.latest(registryNamespace, memberKeys.member(id)) === undefined) return true;
      return visible.records.has(mapKey(registryNamespace, memberKeys.member(id)));
    });
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
