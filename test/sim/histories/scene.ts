import type { RemovedMember } from '../../../src/model/cluster.ts';
import type { GetAnswer, GetRequest, Mutation, WriteAnswer } from '../../../src/model/key-value.ts';
import type { LogId, MemberId } from '../../../src/model/position.ts';
import { emptySession, type Session } from '../../../src/model/session.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import type { Upstream } from '../../../src/model/upstream.ts';
import type { DiskImage } from '../../support/memory-origin-stores.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { VirtualTime } from '../../support/virtual-time.ts';
import { auditDifference, Coverage } from '../coverage.ts';
import { linkTo } from '../network/link.ts';
import { Path } from '../network/path.ts';
import { Cluster } from '../nodes/cluster.ts';
import type { OriginProcess } from '../nodes/origin-process.ts';
import type { Parameters } from '../nodes/parameters.ts';
import { oneOrigin, type Topology } from '../nodes/topology.ts';
import { complaintsOfGet } from '../oracles/answers.ts';
import { signedValue } from '../oracles/attempts.ts';
import { Convergence } from '../oracles/convergence.ts';
import { title } from '../oracles/disks.ts';
import { Oracles } from '../oracles/oracles.ts';
import { noSignal } from '../workload/no-signal.ts';
import { Watcher } from '../workload/watcher.ts';
import { fixedParameters } from './fixed-parameters.ts';
import type { PutWishes, WriteWishes } from './write-wishes.ts';

/** Milliseconds after which a tombstone written now is purged everywhere: whole seconds, its retention, and a round of garbage collection. */
export const purgedAfterMs = 2500;
const callMs = 400;
/** Within which everything has caught up for the first time. */
const startMsMax = 8000;

/** A cluster whose history is written by hand; judged by the same oracles as random ones. */
export class Scene {
  readonly time = new VirtualTime();
  readonly coverage = new Coverage();
  readonly cluster: Cluster;
  readonly oracles: Oracles;
  /** Where namespaces are created and removed. */
  readonly #first: string;
  readonly #random = new SeededRandom(1);
  readonly #keys = new Set<string>();
  readonly #watchers: Watcher[] = [];

  constructor(topology: Topology = oneOrigin, more: Partial<Parameters> = {}) {
    this.cluster = new Cluster(
      topology,
      { time: this.time, random: this.#random },
      { ...fixedParameters, ...more },
      this.coverage,
    );
    this.oracles = new Oracles(this.cluster, this.time, true);
    this.#first = topology.origins[0]?.name ?? '';
  }

  get violations(): readonly string[] {
    return this.oracles.trace.violations;
  }

  /** Starts every node, and waits until each has caught up. */
  async start(): Promise<void> {
    const { origins, edges } = this.cluster;
    const [first, ...others] = origins;
    await this.done(first?.start() ?? Promise.resolve());
    await this.createNamespace();
    for (const origin of others) await this.done(origin.start());
    for (const edge of edges) await this.done(edge.start());
    await this.wait(500);
    let live = await this.#allLive();
    for (; !live && this.time.nowMs < startMsMax; live = await this.#allLive()) await this.wait(100);
    this.expect('not every part is live', live);
    // Whom an origin followed in vain it tries again a second later.
    if (others.length > 0) await this.wait(1000);
  }

  async #allLive(): Promise<boolean> {
    const statuses = await Promise.all(this.cluster.processes.map(({ node }) => node?.status(this.call())));
    return statuses.every((status) => status?.ready === true && status.scopes.every(({ state }) => state === 'live'));
  }

  async createNamespace(at = this.#first, name = title): Promise<void> {
    await this.done(this.node(at).create(name, this.call()));
  }

  async removeNamespace(): Promise<void> {
    await this.done(this.node(this.#first).remove(title, this.call()));
  }

  wait(ms: number): Promise<void> {
    return this.time.runUntil(this.time.nowMs + ms);
  }

  /** Waits until the right clock is so many milliseconds past a whole second: retention is judged in whole ones. */
  untilSecond(ms: number): Promise<void> {
    return this.wait((1000 + ms - (this.time.nowMs % 1000)) % 1000);
  }

  /** Lets time go on until this is settled. */
  async done<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const end = () => {
      settled = true;
    };
    promise.then(end, end);
    for (let waitedMs = 0; !settled && waitedMs < 2000; waitedMs++) await this.wait(1);
    if (!settled) throw new Error('not answered within two seconds');
    return promise;
  }

  put(at: string, key: string, { bytes = 5, expiresInSeconds, condition, ...wishes }: PutWishes = {}) {
    const expiry = expiresInSeconds === undefined ? {} : { expiry: { kind: 'in' as const, seconds: expiresInSeconds } };
    const conditioned = condition === undefined ? {} : { condition };
    return this.#write(
      at,
      (number) => ({ kind: 'put', key, value: signedValue(number, 0, bytes), ...expiry, ...conditioned }),
      wishes,
    );
  }

  delete(at: string, key: string, { condition, ...wishes }: WriteWishes = {}): Promise<WriteAnswer> {
    return this.#write(at, () => ({ kind: 'delete', key, ...(condition === undefined ? {} : { condition }) }), wishes);
  }

  /** A read as a user makes it, judged. */
  async get(at: string, key: string, wishes: Partial<GetRequest> = {}): Promise<GetAnswer> {
    const startMs = this.time.nowMs;
    const request = { namespace: title, key, session: emptySession, ...wishes };
    const answer = await this.done(this.node(at).get(request, this.call()));
    const { session } = request;
    const asked = { truthOf: this.oracles.truthOf.bind(this.oracles), startMs, nowMs: this.time.nowMs, session };
    for (const line of complaintsOfGet(key, answer, asked)) this.oracles.trace.violated(`${at} ${key} ${line}`);
    return answer;
  }

  /** What the node shows of a key: its version, `absent`, or the code of its refusal. */
  async shows(at: string, key: string, wishes: Partial<GetRequest> = {}): Promise<Stamp | string> {
    try {
      const { record } = await this.get(at, key, wishes);
      return record?.kind === 'live' ? record.stamp : 'absent';
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  }

  expect(what: string, holds: boolean): void {
    if (!holds) this.oracles.trace.violated(what);
  }

  path(name: string): Path {
    const found = this.cluster.paths.find((path) => path.name === name);
    if (found === undefined) throw new Error(`there is no path ${name}`);
    return found.path;
  }

  /** The paths between two nodes, whoever opened them. */
  between(one: string, other: string): readonly Path[] {
    return this.cluster.pathsOf(one).filter((path) => this.cluster.pathsOf(other).includes(path));
  }

  part(one: string, other: string): void {
    for (const path of this.between(one, other)) path.cut(['there', 'back'], 'reset');
  }

  join(one: string, other: string): void {
    for (const path of this.between(one, other)) path.mend();
  }

  id(origin: string): MemberId {
    const found = this.#origin(origin).id;
    if (found === undefined) throw new Error(`${origin} is no origin with an id`);
    return found;
  }

  /** The log that an origin writes in. */
  log(origin: string): LogId {
    const { log } = this.#origin(origin);
    if (log === undefined) throw new Error(`${origin} is down`);
    return log;
  }

  /** An origin's disk is lost; it joins again as a new one when it is started. */
  wipe(name: string): void {
    const origin = this.#origin(name);
    origin.crash('power');
    origin.stores.wipe();
    this.oracles.put(name);
    origin.peers = this.cluster.origins.map((one) => one.name).filter((one) => one !== name);
  }

  imageOf(name: string): DiskImage {
    return this.#origin(name).stores.image();
  }

  /** Told when this origin finds that a later opening of its member runs elsewhere. */
  onReplaced(name: string, run: () => void): void {
    this.#origin(name).onReplaced = run;
  }

  /** The origin is down, and its disk is what some origin's was at some time. */
  putBack(name: string, image: DiskImage): void {
    const origin = this.#origin(name);
    origin.crash('power');
    origin.stores.putBack(image);
    this.oracles.put(name, image);
  }

  /** Removes an origin for good. */
  remove(at: string, id: MemberId, force = false): Promise<RemovedMember> {
    return this.done(this.node(at).removeMember({ name: id, force }, this.call()));
  }

  /** Waits until one origin has heard of another again, which it had lost from sight. */
  async untilAnswered(one: string, other: string): Promise<void> {
    for (let answered = false; !answered; ) {
      await this.wait(5);
      const { peers = [] } = await this.node(one).status(this.call());
      answered = peers.some(({ id, state }) => id === this.id(other) && state !== 'connecting');
    }
  }

  async moveHome(at: string, to: string): Promise<void> {
    await this.done(this.node(at).moveHome(title, this.id(to), this.call()));
  }

  /** Cuts a node off from everybody, or mends that. */
  async away(name: string, ms: number): Promise<void> {
    for (const path of this.cluster.pathsOf(name)) path.cut(['there', 'back'], 'reset');
    await this.wait(ms);
    for (const path of this.cluster.pathsOf(name)) path.mend();
  }

  async crash(name: string, ms: number): Promise<void> {
    const process = this.cluster.process(name);
    process.crash('process');
    await this.wait(ms);
    await this.done(process.start());
  }

  /** A client that watches the namespace at a node, until it moves to another one. */
  watch(at: string, from: 'nothing' | 'now'): { watcher: Watcher; path: Path; move: (to: string) => void } {
    const reach = (name: string) => {
      const far = this.cluster.process(name);
      const path = new Path({ time: this.time, random: this.#random.fork(), far });
      return { path, upstream: linkTo({ path, target: () => far.node }) };
    };
    let reached = reach(at);
    const namespace = this.oracles.namespaces().find((id) => !this.oracles.isDead(id));
    if (namespace === undefined) throw new Error('there is no namespace to watch');
    const watcher = new Watcher({
      time: this.time,
      oracles: this.oracles,
      namespace,
      node: () => reached.upstream,
      from,
      name: `w${this.#watchers.length}`,
    });
    this.#watchers.push(watcher);
    void watcher.run();
    const move = (to: string) => {
      const { path } = reached;
      reached = reach(to);
      path.cut(['there', 'back'], 'reset');
    };
    return { watcher, path: reached.path, move };
  }

  /** Everything comes to be the same everywhere. */
  async converge(...sessions: readonly Session[]): Promise<void> {
    const { time, cluster, oracles, coverage } = this;
    const keys = [...this.#keys];
    await new Convergence({ time, cluster, oracles, coverage, keys, watchers: this.#watchers, sessions }).reach();
  }

  end(): void {
    for (const process of this.cluster.processes) process.crash();
    const differences = this.coverage.counts.get(auditDifference) ?? 0;
    this.expect(`the audit found ${differences} differences`, differences === 0);
  }

  async #write(at: string, mutation: (number: number) => Mutation, wishes: WriteWishes): Promise<WriteAnswer> {
    const attempt = this.oracles.attempts.add((number) => [mutation(number)]);
    for (const { key } of attempt.mutations) this.#keys.add(key);
    const request = { namespace: title, mutations: attempt.mutations, session: emptySession, ...wishes };
    const answer = await this.done(this.node(at).write(request, this.call()));
    this.oracles.acknowledged(request, answer);
    return answer;
  }

  #origin(name: string): OriginProcess {
    const found = this.cluster.origins.find((origin) => origin.name === name);
    if (found === undefined) throw new Error(`${name} is no origin`);
    return found;
  }

  /** A node as it is now. @throws while it is down */
  node(name: string): Upstream {
    const { node } = this.cluster.process(name);
    if (node === undefined) throw new Error(`${name} is down`);
    return node;
  }

  /** For a call that is made now. */
  call() {
    return { deadlineMs: this.time.nowMs + callMs, signal: noSignal };
  }
}
