import { registryNamespace } from '../../../src/model/namespace.ts';
import type { Record } from '../../../src/model/record.ts';
import { emptySession, type Session } from '../../../src/model/session.ts';
import type { Upstream } from '../../../src/model/upstream.ts';
import { emptyVector, joinVectors, type VersionVector } from '../../../src/model/version-vector.ts';
import type { Contents, MemoryDisk } from '../../support/memory-store.ts';
import type { VirtualTime } from '../../support/virtual-time.ts';
import type { Coverage } from '../coverage.ts';
import { damagedOn } from '../disk-damage.ts';
import type { Faults } from '../faults.ts';
import type { Cluster } from '../nodes/cluster.ts';
import type { OriginProcess } from '../nodes/origin-process.ts';
import type { Process } from '../nodes/process.ts';
import { noSignal } from '../workload/no-signal.ts';
import type { Watcher } from '../workload/watcher.ts';
import { complaintsOfGet } from './answers.ts';
import { signedValue } from './attempts.ts';
import { complaintsOfRegistry, coveredBy, differences, hasCaughtUp, title } from './disks.ts';
import type { Oracles } from './oracles.ts';
import { mayBeAbsent } from './truth.ts';

export interface ConvergenceOptions {
  readonly time: VirtualTime;
  readonly cluster: Cluster;
  readonly oracles: Oracles;
  readonly coverage: Coverage;
  readonly keys: readonly string[];
  readonly watchers: readonly Watcher[];
  /** Of users: each is to be met wherever they ask. */
  readonly sessions: readonly Session[];
  readonly faults?: Pick<Faults, 'underWay' | 'waitsForReports'>;
  readonly damagesRecords?: boolean;
}

/** Milliseconds of quiet within which everything is the same everywhere, and between two looks. */
const convergenceMsMax = 4000;
/** More of them, where survivors have reported to an initiator that does not go on: they take nothing of who is removed for a minute. */
const reportsMsMax = 65_000;
/**
 * More of them, where records were damaged. Who could not mend one rests for ten seconds: once as it had yet to hear of a
 * seal by which answers are compared, and then until it was told three times that the record has expired.
 */
const mendingMsMax = 35_000;
const lookMs = 50;
/** What a node is asked of itself, it answers within so many. */
const answerMsMax = 300;
/** Calls that are under way when the load ends are answered by then. */
const settlingMs = 450;
/** A bound this small shows that echoes come. */
const boundMsMax = 250;

/** Once faults and load are over: every node gets to what the origin holds, in time, and stays whole. */
export class Convergence {
  readonly #options: ConvergenceOptions;
  /** Since when all holds that is judged. */
  #sinceMs = 0;
  #waited = false;

  constructor(options: ConvergenceOptions) {
    this.#options = options;
  }

  async reach(): Promise<void> {
    const { time, oracles, coverage, damagesRecords } = this.#options;
    const startMs = time.nowMs;
    const mostMs = convergenceMsMax + (damagesRecords ? mendingMsMax : 0);
    // Calls under way may still change something.
    await time.runUntil(startMs + settlingMs);
    let lacking = await this.#lacking();
    const msMax = () => mostMs + (this.#waitedForReports() ? reportsMsMax : 0);
    while (lacking.length > 0 && time.nowMs - startMs < msMax()) {
      await time.runUntil(time.nowMs + lookMs);
      lacking = await this.#lacking();
    }
    coverage.count('milliseconds to converge', Math.round(time.nowMs - startMs));
    for (const line of lacking) oracles.trace.violated(`not converged after ${mostMs} ms: ${line}`);
    if (lacking.length > 0) return;
    await this.#judge();
  }

  #waitedForReports(): boolean {
    this.#waited ||= this.#options.faults?.waitsForReports === true;
    return this.#waited;
  }

  /** What is still to come. */
  async #lacking(): Promise<string[]> {
    const { cluster, oracles, watchers, time } = this.#options;
    const lacking: string[] = [];
    const covered = cluster.origins.map(({ disk }) => coveredBy(disk.visible));
    const { logs } = oracles.history;
    const target = logs.fold(covered.reduce(joinVectors, emptyVector));
    const covers = (vector: VersionVector) => logs.covers(vector, target);
    for (const { name, node } of cluster.processes) if (node === undefined) lacking.push(`${name} is down`);
    if ((this.#options.faults?.underWay ?? 0) > 0)
      lacking.push('an operator has yet to be told that an origin is removed');
    // Forwarded: what it knows by itself, without asking the others.
    const call = { deadlineMs: time.nowMs, signal: noSignal, forwarded: true as const };
    const ids = cluster.origins.map(({ id }) => id).sort();
    const current = new Set(cluster.origins.flatMap(({ log }) => (log === undefined ? [] : [log])));
    const sound = { isWhole: oracles.history.isWhole, current };
    for (const { name, node, disk } of cluster.origins) {
      const status = await this.#answerOf(node?.status());
      if (status?.ready !== true) lacking.push(`${name} is not ready: ${status?.notes.join(', ')}`);
      if (!covers(coveredBy(disk.visible))) lacking.push(`${name} covers less`);
      lacking.push(...damagedOn(disk.visible).map((key) => `${name} cannot read ${key}`));
      for (const peer of status?.peers ?? []) {
        if (peer.state !== 'live' && peer.address !== name)
          lacking.push(`${name} does not follow ${peer.address}: ${peer.refused}`);
      }
      lacking.push(...complaintsOfRegistry(disk.visible, sound).map((line) => `${name} ${line}`));
      const listed = await this.#answerOf(node?.members(call));
      const members = listed?.filter(({ role }) => role === 'origin').map(({ id }) => id);
      if (members?.sort().join() !== ids.join()) lacking.push(`${name} knows ${members?.length} origins`);
    }
    // A process that stands by caches what it reads, and answers edges.
    for (const { host, standby } of cluster.engines.flatMap(({ hosts }) => hosts)) {
      for (const { kind, boundMs } of (await standby?.status())?.scopes ?? []) {
        if (boundMs === undefined || boundMs > boundMsMax) lacking.push(`the ${kind} of ${host} is ${boundMs} old`);
      }
    }
    for (const edge of cluster.edges) {
      for (const { kind, contents } of oracles.scopesOf(edge)) {
        if (!hasCaughtUp(contents, kind)) lacking.push(`the ${kind} of ${edge.name} has not caught up`);
        if (!covers(coveredBy(contents))) lacking.push(`the ${kind} of ${edge.name} covers less`);
        // What a cache cannot read it loads again once somebody asks for it.
        if (kind !== 'cache') lacking.push(...damagedOn(contents).map((key) => `${edge.name} cannot read ${key}`));
        lacking.push(...complaintsOfRegistry(contents, sound).map((line) => `the ${kind} of ${edge.name} ${line}`));
      }
      const status = await edge.node?.status();
      for (const { kind, boundMs } of status?.scopes ?? []) {
        if (boundMs === undefined || boundMs > boundMsMax)
          lacking.push(`the ${kind} of ${edge.name} is ${boundMs} old`);
      }
    }
    for (const { name, disks } of cluster.processes) {
      for (const disk of disks) {
        lacking.push(...this.#leftOvers(disk).map((key) => `${name} still holds ${key}`));
        if (disk.snapshotsOpen > 0) lacking.push(`${name} has ${disk.snapshotsOpen} snapshots open`);
      }
    }
    for (const watcher of watchers) {
      if (!covers(watcher.covered)) lacking.push('a watch lags behind');
    }
    return lacking;
  }

  /** What a node says by itself. Over a disk it does so at once, and over a database in a moment. */
  async #answerOf<T>(asked: Promise<T> | undefined): Promise<T | undefined> {
    const { time } = this.#options;
    let isOver = false;
    const answered = asked
      ?.catch(() => undefined)
      .then((answer) => {
        isOver = true;
        return answer;
      });
    await Promise.race([answered, new Promise<void>((resolve) => process.nextTick(resolve))]);
    const untilMs = time.nowMs + answerMsMax;
    while (!isOver && time.nowMs < untilMs) await time.runUntil(time.nowMs + 1);
    return isOver ? answered : undefined;
  }

  /** Of namespaces that are gone. */
  #leftOvers({ visible }: MemoryDisk): string[] {
    const { oracles } = this.#options;
    return [...visible.records.values()]
      .filter(({ namespace }) => namespace !== registryNamespace && oracles.isGone(namespace))
      .filter((record) => oracles.history.heardOfEnd(record))
      .map(({ key }) => key);
  }

  async #judge(): Promise<void> {
    const { cluster, oracles, time, keys, sessions } = this.#options;
    this.#sinceMs = time.nowMs;
    for (const edge of cluster.edges) {
      oracles.checkEdge(edge);
      for (const held of oracles.scopesOf(edge)) {
        const counted = { ...held, contents: this.#counted(held.contents) };
        for (const line of differences(counted, this.#originContents(), time.nowMs)) {
          oracles.trace.violated(`after the quiet ${edge.name}: the ${line}`);
        }
      }
    }
    for (const origin of cluster.origins) this.#judgeOrigin(origin);
    for (const line of oracles.decisions.complaintsInTheEnd()) oracles.trace.violated(`after the quiet ${line}`);
    for (const process of cluster.processes) {
      for (const key of keys) await this.#ask(process, key, emptySession);
      for (const session of sessions) await this.#ask(process, keys[0] ?? '', session);
    }
    await this.#decide();
  }

  /** Conditions and titles are decided again, wherever they are put. */
  async #decide(): Promise<void> {
    const { cluster, oracles, time } = this.#options;
    if (!oracles.namespaces().some((id) => oracles.lives(id))) return;
    const condition = { kind: 'absent' } as const;
    for (const { name, node } of cluster.processes) {
      const wrong = (what: string) => (error: Error) =>
        oracles.trace.violated(`after the quiet ${name} decides no ${what}: ${error.message}`);
      const call = { deadlineMs: time.nowMs + 500, signal: noSignal };
      const attempt = oracles.attempts.add((number) => {
        return [{ kind: 'put', key: `decided at ${name}`, value: signedValue(number, 0, 5), condition }];
      });
      const { mutations } = attempt;
      node?.write({ namespace: title, mutations, session: emptySession }, call).catch(wrong('condition'));
      node?.create(`created at ${name}`, call).catch(wrong('title'));
    }
    await time.runUntil(time.nowMs + 600);
  }

  /** It holds what the first one holds, and nothing that some disk kept is missing. */
  #judgeOrigin(origin: OriginProcess): void {
    const { oracles, time } = this.#options;
    const wrong = (line: string) => oracles.trace.violated(`after the quiet ${origin.name}: ${line}`);
    oracles.checkOrigin(origin);
    const living = oracles.namespaces().filter((id) => oracles.lives(id));
    const contents = this.#counted(origin.disk.visible);
    const held = { kind: 'origin' as const, replicate: ['*'], namespaces: living, contents };
    for (const line of differences(held, this.#originContents(), time.nowMs)) wrong(line);
    for (const line of oracles.lost(origin)) wrong(line);
    for (const { record } of oracles.history.leftAside(origin.name)) {
      // An end may be purged where it stands, while the origin waits to be let in again.
      if (mayBeAbsent(record, time.nowMs)) continue;
      // It may have deleted the namespace itself, and given that up too.
      if (
        oracles.isDead(record.namespace) ||
        (record.namespace !== registryNamespace && !oracles.lives(record.namespace))
      )
        continue;
      if (!origin.keptApart.includes(record.stamp))
        wrong(`put ${record.key} at ${record.stamp} aside, and kept it nowhere`);
    }
  }

  async #ask(process: Process<Upstream>, key: string, session: Session): Promise<void> {
    const { time, oracles, cluster } = this.#options;
    const startMs = time.nowMs;
    const wrong = (line: string) => oracles.trace.violated(`after the quiet ${process.name} ${key} ${line}`);
    if (!oracles.namespaces().some((id) => oracles.lives(id))) return;
    let done = false;
    const call = { deadlineMs: startMs + 1000, signal: noSignal };
    process.node
      ?.get({ namespace: title, key, session }, call)
      .then(
        (answer) => {
          const asked = { truthOf: oracles.truthOf.bind(oracles), startMs, nowMs: time.nowMs, session };
          for (const line of complaintsOfGet(key, answer, asked)) wrong(line);
          if (answer.bound === undefined) wrong('has no bound');
          const components = answer.session.vector.size;
          // What was answered before may have been on its way until now.
          const isOfNow = answer.bound === undefined || time.nowMs - answer.bound.boundMs >= this.#sinceMs;
          if (isOfNow && components > cluster.origins.length)
            wrong(`answers with a session of ${components} components`);
        },
        (error: Error) => wrong(`fails: ${error.message}`),
      )
      .finally(() => {
        done = true;
      });
    while (!done && time.nowMs < startMs + 1500) await time.runUntil(time.nowMs + 10);
    if (!done) wrong('is not answered');
  }

  #originContents(): Contents {
    const visible = this.#options.cluster.origins[0]?.disks[0]?.visible;
    if (visible === undefined) throw new Error('there is an origin');
    return this.#counted(visible);
  }

  /** Without what may be left of dead namespaces (`History.heardOfEnd`). */
  #counted(contents: Contents): Contents {
    const { oracles } = this.#options;
    const counts = (record: Record) => {
      const { namespace } = record;
      return namespace === registryNamespace || !oracles.isGone(namespace) || oracles.history.heardOfEnd(record);
    };
    return { ...contents, records: new Map([...contents.records].filter(([, record]) => counts(record))) };
  }
}
