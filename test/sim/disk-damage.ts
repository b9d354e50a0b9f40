import { mapKey, type RecordKey } from '../../src/model/key.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { isAt } from '../../src/model/position.ts';
import type { Record } from '../../src/model/record.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Contents, MemoryDisk } from '../support/memory-store.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import type { Stage } from './faults.ts';
import type { Process } from './nodes/process.ts';
import { signedValue } from './oracles/attempts.ts';
import { coveredBy, title } from './oracles/disks.ts';
import { noSignal } from './workload/no-signal.ts';

/** Milliseconds between two of them. */
const everyMs = { least: 40, most: 400 };
/** Records that are damaged at once: they stand in one block. */
const recordsMax = 3;

/** Milliseconds between an operator's looks at what is damaged. */
const againMs = 100;

/**
 * Records on disks that cannot be read any more, found while a process runs over them or when it starts again. Of what an
 * origin's disk loses so, another origin's has that write or a later one of the key, so that nothing is lost for good; a lone
 * origin's is lost. Draws chances of its own, as `ClockFaults` does.
 */
export class DiskDamage {
  readonly #stage: Omit<Stage, 'random'>;
  readonly #random: SeededRandom;
  #over = false;

  constructor(stage: Omit<Stage, 'random'>, seed: number) {
    this.#stage = stage;
    this.#random = new SeededRandom(seed ^ 0xdadd);
  }

  begin(): void {
    this.#later(() => {
      this.#damageOne();
      this.begin();
    });
  }

  end(): void {
    this.#over = true;
    if (this.#stage.cluster.origins.length === 1) this.#writeAgain();
  }

  /** What nobody can tell any more an operator writes again, or deletes, until nothing is damaged. */
  #writeAgain(): void {
    const { cluster, oracles, time } = this.#stage;
    const [origin] = cluster.origins;
    if (origin === undefined) return;
    time.at(againMs, () => this.#writeAgain());
    for (const key of damagedOn(origin.disk.visible)) {
      const { mutations } = oracles.attempts.add((number) => [
        this.#random.chance(0.5) ? { kind: 'put', key, value: signedValue(number, 0, 5) } : { kind: 'delete', key },
      ]);
      const call = { deadlineMs: time.nowMs + againMs, signal: noSignal };
      origin.node?.write({ namespace: title, mutations, session: emptySession }, call).then(
        () => oracles.trace.note(() => `operator: wrote ${key} again`),
        (error: Error) => oracles.trace.note(() => `operator: ${error.message}`),
      );
    }
  }

  #later(run: () => void): void {
    this.#stage.time.at(this.#random.between(everyMs.least, everyMs.most), () => {
      if (!this.#over) run();
    });
  }

  #damageOne(): void {
    const { cluster, oracles, coverage, time } = this.#stage;
    const random = this.#random;
    const process = random.pick(cluster.processes);
    const disk = random.pick(process.disks);
    const keys = this.#chosen(process, disk);
    if (keys.length === 0) return;
    // The registry is read at starts alone, and mended then.
    const isOfData = keys.every(({ namespace }) => namespace !== registryNamespace);
    const runs = isOfData && process.node !== undefined && random.chance(0.5);
    if (!runs) process.crash(random.chance(0.5) ? 'process' : 'power');
    for (const key of keys) disk.damageNow(key);
    if (!isOfData) this.#namePeers(process);
    oracles.trace.note(() => `fault: ${process.name} cannot read ${keys.map(({ key }) => key).join(', ')}`);
    coverage.count(`fault: ${cluster.origins.some(({ name }) => name === process.name) ? 'origin' : 'edge'} damaged`);
    if (!runs) time.at(random.between(1, 60), () => void process.start());
  }

  /** Neighbours, of those that may be damaged: the registry of one origin at a time, which asks the others before it serves. */
  #chosen(process: Process<unknown>, disk: MemoryDisk): readonly RecordKey[] {
    const { origins } = this.#stage.cluster;
    const others = origins.filter((origin) => origin !== process && origin.hasServed).map((origin) => origin.disk);
    const isOrigin = origins.some((origin) => origin === process);
    const isAlone = origins.length === 1;
    const isWhole = origins.every((origin) => ![...origin.disk.synced.damaged].some(isOfRegistry));
    const held = [...disk.synced.records]
      .filter(([name, record]) => {
        if (disk.synced.damaged.has(name)) return false;
        if (!isOrigin) return true;
        if (isOfRegistry(name) && (!isWhole || isAlone)) return false;
        return isAlone || others.some((other) => this.#hasSound(other, name, record));
      })
      .sort(([a], [b]) => (a < b ? -1 : 1));
    if (held.length === 0) return [];
    const first = this.#random.between(0, held.length - 1);
    return held.slice(first, first + this.#random.between(1, recordsMax)).map(([, record]) => record);
  }

  /** The operator does: where all records of members are damaged, an origin knows nobody to ask. */
  #namePeers(process: Process<unknown>): void {
    const { origins } = this.#stage.cluster;
    const names = origins.filter(({ hasServed }) => hasServed).map(({ name }) => name);
    for (const origin of origins) {
      if (origin === process) origin.peers = names.filter((name) => name !== origin.name);
    }
  }

  /** It tells what the record was, or that it was overwritten, and has heard of it. */
  #hasSound({ synced }: MemoryDisk, name: string, { stamp, position }: Record): boolean {
    const { logs } = this.#stage.oracles.history;
    const record = synced.records.get(name);
    if (record === undefined || synced.damaged.has(name)) return false;
    if (isOfRegistry(name) && isAt(record.position, position)) return true;
    return record.stamp >= stamp && logs.coversPosition(coveredBy(synced), position);
  }
}

function isOfRegistry(name: string): boolean {
  return name.startsWith(mapKey(registryNamespace, ''));
}

/** What of a disk cannot be read, for people. */
export function damagedOn({ records, damaged }: Contents): string[] {
  return [...damaged].flatMap((name) => records.get(name)?.key ?? []);
}
