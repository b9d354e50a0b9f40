import type { FeedEvent } from '../../src/model/feed.ts';
import type { Record } from '../../src/model/record.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { ClockFaults } from './clock-faults.ts';
import { Coverage } from './coverage.ts';
import { EngineFaults } from './database/engine-faults.ts';
import { DiskDamage } from './disk-damage.ts';
import { Faults } from './faults.ts';
import { linkTo } from './network/link.ts';
import { Path } from './network/path.ts';
import { Cluster } from './nodes/cluster.ts';
import { drawParameters } from './nodes/parameters.ts';
import { oneOrigin, type Topology } from './nodes/topology.ts';
import { Convergence } from './oracles/convergence.ts';
import { title } from './oracles/disks.ts';
import { Oracles } from './oracles/oracles.ts';
import { mayBeAbsent } from './oracles/truth.ts';
import { Glances } from './workload/glances.ts';
import { Watcher } from './workload/watcher.ts';
import { Workload } from './workload/workload.ts';

/** Milliseconds of virtual time. */
const busyMs = 2500;
const opIntervalMs = 10;
const firstOpMs = 100;
const createAgainMs = 20;
/** Milliseconds of the quiet in which nodes are glanced at still. */
const quietGlancesMs = 500;

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Equal for two runs of one seed; empty without `detailed`. */
  readonly trace: readonly string[];
}

export interface SimulationOptions {
  readonly topology?: Topology | undefined;
  /** Notes all that happens, for people to read. */
  readonly detailed?: boolean;
}

/** One history: nodes of a topology under load and faults, then in quiet, judged throughout. */
export class Simulation {
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  readonly coverage = new Coverage();
  readonly cluster: Cluster;
  readonly oracles: Oracles;
  readonly #seed: number;
  readonly #damagesRecords: boolean;
  readonly #watchers: Watcher[] = [];

  constructor(seed: number, { topology = oneOrigin, detailed = false }: SimulationOptions = {}) {
    this.#seed = seed;
    this.#damagesRecords = topology.damagesRecords === true;
    this.random = new SeededRandom(seed);
    this.cluster = new Cluster(topology, this, drawParameters(this.random.fork()), this.coverage);
    this.oracles = new Oracles(this.cluster, this.time, detailed);
    this.coverage.onDifference = ({ scope, key: { key }, held, found, responder }) => {
      // What was lost with a disk, whoever has not heard of that yet still holds.
      const truth = this.oracles.truthOf();
      const isLost = (record: Record | undefined) =>
        record !== undefined && record.position.sequence > 0 && truth.surviving(record.stamp) === undefined;
      if (isLost(held) || isLost(found)) return;
      // What an edge took for expired while its origin's clock was ahead: to find that is what the audit is for.
      if (held?.kind === 'tombstone' && held.expiresAt !== undefined && held.stamp === found?.stamp) return;
      // What expired by the right clock either of them may have dropped for good, before its origin's clock was set back.
      const dropped = held === undefined ? found : found === undefined ? held : undefined;
      if (dropped?.expiresAt !== undefined && mayBeAbsent(dropped, this.time.nowMs)) return;
      const shown = (record: Record | undefined) => `${record?.kind} ${record?.stamp}`;
      this.oracles.trace.violated(
        `the audit of a ${scope}: ${key} is ${shown(held)}, ${responder} has ${shown(found)}`,
      );
    };
  }

  async run(): Promise<Outcome> {
    const { time, random, cluster, oracles, coverage } = this;
    const keys = Array.from({ length: random.between(4, 11) }, (_, i) => `${i % 2 === 0 ? 'a' : 'b'}${i}`);
    const workload = new Workload({ time, random: random.fork(), cluster, oracles, coverage, keys });
    const faults = new Faults({ time, random: random.fork(), cluster, oracles, coverage });
    const clocks = new ClockFaults({ time, cluster, oracles, coverage }, this.#seed);
    const damage = new DiskDamage({ time, cluster, oracles, coverage }, this.#seed);
    clocks.begin(busyMs);
    if (this.#damagesRecords) damage.begin();
    new Glances({ time, cluster, oracles, coverage, keys }, this.#seed).begin(busyMs + quietGlancesMs);
    const stage = { time, random, cluster, oracles, coverage };
    const engines = cluster.engines.map((engine) => new EngineFaults(stage, engine, this.#seed));
    for (const engine of engines) engine.keepsCommits = clocks.jumps;
    if (clocks.jumps || this.#damagesRecords) faults.keepDisks();
    void this.#begin();
    await time.runUntil(firstOpMs);
    let faultAtMs = firstOpMs;
    for (const engine of engines) engine.begin();
    faults.restartOrigins(random.pick([0, 3, 20]), busyMs - firstOpMs);
    for (let nowMs = firstOpMs; nowMs < busyMs; nowMs += opIntervalMs) {
      if (nowMs >= faultAtMs) {
        faults.inject();
        faultAtMs = nowMs + random.between(20, 350);
      }
      if (random.chance(0.008)) this.#watch();
      void workload.operate();
      await time.runUntil(nowMs + opIntervalMs);
    }
    for (const engine of engines) engine.end();
    faults.end();
    clocks.end();
    if (this.#damagesRecords) damage.end();
    const { sessions } = workload;
    const watchers = this.#watchers;
    const damagesRecords = this.#damagesRecords;
    const quiet = { time, cluster, oracles, coverage, keys, watchers, sessions, faults, damagesRecords };
    await new Convergence(quiet).reach();
    for (const process of cluster.processes) process.crash();
    const { violations, lines } = oracles.trace;
    return { seed: this.#seed, violations, trace: lines };
  }

  async #begin(): Promise<void> {
    const { origins, edges } = this.cluster;
    const [first, ...others] = origins;
    await first?.start();
    await this.#create();
    for (const origin of others) void origin.start();
    for (const edge of edges) void edge.start();
  }

  /** An origin over a database may be gone again before it has answered. */
  async #create(): Promise<void> {
    const { time, cluster } = this;
    const created = async () => (await cluster.origins[0]?.node?.create(title)) !== undefined;
    while (!(await created().catch(() => false))) await time.wait(createAgainMs);
  }

  /** A client begins to watch the namespace that there is; each stream goes to some node. */
  #watch(): void {
    const { time, cluster, oracles } = this;
    const random = this.random.fork();
    const namespace = oracles.namespaces().find((id) => !oracles.isDead(id));
    if (namespace === undefined) return;
    const name = `w${this.#watchers.length}`;
    const nodes = cluster.processes.map((far): (() => Upstream) => {
      const path = new Path({ time, random: random.fork(), far });
      const tamper = (event: FeedEvent) => {
        oracles.sawEvent(event, `${name} at ${far.name}`);
        return event;
      };
      const upstream = linkTo({ path, target: () => far.node, tamper });
      return () => upstream;
    });
    const stays = random.chance(0.5) ? random.pick(nodes) : undefined;
    const watcher = new Watcher({
      time,
      oracles,
      namespace,
      node: () => (stays ?? random.pick(nodes))(),
      from: random.chance(0.5) ? 'nothing' : 'now',
      name,
      scansAhead: cluster.engines.length > 0,
    });
    this.#watchers.push(watcher);
    void watcher.run();
  }
}
