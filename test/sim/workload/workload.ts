import { SessionKeeper } from '../../../src/client/session-keeper.ts';
import { MeridianError } from '../../../src/model/errors.ts';
import { mapKey } from '../../../src/model/key.ts';
import type {
  Condition,
  GetAnswer,
  Mutation,
  Provenance,
  ReadOptions,
  WriteAnswer,
  WriteRequest,
} from '../../../src/model/key-value.ts';
import { decodeListCursor } from '../../../src/model/list-cursor.ts';
import { emptySession, type Session } from '../../../src/model/session.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import type { Upstream } from '../../../src/model/upstream.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { VirtualTime } from '../../support/virtual-time.ts';
import type { Coverage } from '../coverage.ts';
import type { Cluster } from '../nodes/cluster.ts';
import { type Asked, complaintsOfGet, complaintsOfList, keysOfPage } from '../oracles/answers.ts';
import { type Attempt, mayRefuse, signedValue } from '../oracles/attempts.ts';
import { title } from '../oracles/disks.ts';
import { Memory, type Remembered } from '../oracles/memory.ts';
import type { Oracles } from '../oracles/oracles.ts';
import type { Version } from '../oracles/truth.ts';
import { noSignal } from './no-signal.ts';

export interface WorkloadOptions {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly cluster: Cluster;
  readonly oracles: Oracles;
  readonly coverage: Coverage;
  readonly keys: readonly string[];
}

/** What a client keeps for its user, and what the user knows without it. */
interface User {
  readonly keeper: SessionKeeper;
  readonly memory: Memory;
}

/** Milliseconds that an operation may take. */
const callMs = 400;

/** Users that read and write at any node, move between nodes, and judge every answer. */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #users = Array.from({ length: 3 }, (): User => {
    return { keeper: new SessionKeeper(true), memory: new Memory(() => this.#options.oracles.hasCopied) };
  });
  /** The version that a user last saw of a key, for conditions. */
  readonly #versions = new Map<string, Condition>();

  constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  get sessions(): readonly Session[] {
    return this.#users.map(({ keeper }) => keeper.current);
  }

  /** One operation at some node that is up; resolves when it is answered, which may be never. */
  async operate(): Promise<void> {
    const { random, cluster, oracles } = this.#options;
    // The origin takes part as often as the edges together, so that writes are not held up by cut links alone.
    const process = random.chance(0.3) ? random.pick(cluster.origins) : random.pick(cluster.edges);
    const user = random.pick(this.#users);
    const draw = random.fraction();
    const { node, name } = process;
    const fork = random.fork();
    if (node === undefined) return;
    try {
      if (cluster.origins.length > 1 && draw > 0.98 && draw < 0.995) await this.#moveHome(fork);
      else if (draw < 0.6) await this.#get(node, name, user, fork);
      else if (draw < 0.7) await this.#list(node, name, user, fork);
      else if (draw < 0.995) await this.#write(node, name, user, fork);
      else await this.#replaceNamespace(node, name, user.keeper, fork);
    } catch (error) {
      if (!(error instanceof MeridianError)) oracles.trace.violated(`${name}: ${(error as Error).stack}`);
      else oracles.trace.note(() => `${name} failed: ${error.message}`);
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const { coverage } = this.#options;
    coverage.count(`answer ${error instanceof MeridianError ? `${error.code} ${error.details.reason}` : 'defect'}`);
  }

  #call() {
    return { deadlineMs: this.#options.time.nowMs + callMs, signal: noSignal };
  }

  #wishes(random: SeededRandom): Pick<ReadOptions, 'maxStalenessMs' | 'atOrigin'> {
    const draw = random.fraction();
    if (draw < 0.45) return { maxStalenessMs: random.between(1, 400) };
    if (draw < 0.5) return { atOrigin: true };
    return draw < 0.53 ? { maxStalenessMs: 0 } : {};
  }

  async #get(node: Upstream, name: string, { keeper, memory }: User, random: SeededRandom): Promise<void> {
    const { time, oracles, keys, coverage } = this.#options;
    const key = random.pick(keys);
    const session = keeper.current;
    const remembered = memory.remembered();
    const startMs = time.nowMs;
    const wishes = this.#wishes(random);
    const request = { namespace: title, key, session, ...wishes };
    const checkNotFound = this.#notFoundCheck(name);
    const hit = node.peek(request);
    const answer =
      hit ??
      (await node.get(request, this.#call()).catch((error) => {
        checkNotFound(error);
        throw error;
      }));
    if (hit !== undefined) coverage.count(`hit in memory, ${hit.source}`);
    oracles.trace.note(() => `${name} ${key} = ${shown(answer)}`);
    coverage.count('answers checked');
    const asked = this.#asked(answer, { startMs, session, remembered }, memory);
    for (const line of complaintsOfGet(key, answer, asked)) oracles.trace.violated(`${name} ${key} ${line}`);
    if (!isAsWished(name, answer, wishes))
      oracles.trace.violated(`${name} ${key} is not as wished: ${JSON.stringify(wishes)}`);
    keeper.answered(session, answer.session);
    memory.sawAnswer(key, answer, oracles.truthOf());
    const version = answer.record?.kind === 'live' ? answer.record.stamp : undefined;
    this.#versions.set(key, version === undefined ? { kind: 'absent' } : { kind: 'version', version });
  }

  #asked(
    { responder }: Pick<Provenance, 'responder'>,
    { startMs, session, remembered }: Pick<Asked, 'startMs' | 'session' | 'remembered'>,
    memory: Memory,
  ): Asked {
    const { time, oracles } = this.#options;
    const truthOf = oracles.truthOf.bind(oracles);
    if (!oracles.forgets(responder, startMs)) {
      return { truthOf, startMs, nowMs: time.nowMs, session, ...(remembered === undefined ? {} : { remembered }) };
    }
    memory.forget();
    return { truthOf, startMs, nowMs: time.nowMs, session: emptySession };
  }

  async #list(node: Upstream, name: string, { keeper, memory }: User, random: SeededRandom): Promise<void> {
    const { time, oracles, coverage } = this.#options;
    const prefix = random.pick(['', 'a', 'b', 'a0']);
    const limit = random.between(1, 12);
    let cursor: string | undefined;
    let after: string | undefined;
    do {
      const session = keeper.current;
      const remembered = memory.remembered();
      const startMs = time.nowMs;
      const page = { namespace: title, prefix, limit, session, ...(cursor === undefined ? {} : { cursor }) };
      const wishes = this.#wishes(random);
      const checkNotFound = this.#notFoundCheck(name);
      const answer = await node.list({ ...page, ...wishes }, this.#call()).catch((error) => {
        checkNotFound(error);
        throw error;
      });
      oracles.trace.note(() => `${name} lists ${prefix}: ${answer.keys.map(({ key }) => key).join()} ${answer.source}`);
      coverage.count('lists checked');
      const asked = this.#asked(answer, { startMs, session, remembered }, memory);
      const complaints = complaintsOfList({ prefix, limit, after }, answer, asked);
      for (const line of complaints) oracles.trace.violated(`${name} list ${line}`);
      if (!isAsWished(name, answer, wishes))
        oracles.trace.violated(`${name} list is not as wished: ${JSON.stringify(wishes)}`);
      keeper.answered(session, answer.session);
      const truth = oracles.truthOf();
      memory.sawList(keysOfPage({ prefix, after }, answer, truth), answer, truth);
      cursor = answer.cursor;
      after = cursor === undefined ? undefined : decodeListCursor(cursor, answer.namespace, prefix);
    } while (cursor !== undefined && random.chance(0.7));
  }

  async #write(node: Upstream, name: string, { keeper, memory }: User, random: SeededRandom): Promise<void> {
    const { time, oracles, coverage } = this.#options;
    const startMs = time.nowMs;
    const remembered = memory.remembered();
    const attempt = oracles.attempts.add((number) => this.#mutations(number, random));
    const request = {
      namespace: title,
      mutations: attempt.mutations,
      session: keeper.current,
      ...this.#durability(random),
    };
    const checkNotFound = this.#notFoundCheck(name);
    const answer = await node.write(request, this.#call()).catch((error) => {
      checkNotFound(error);
      this.#checkRefusal(attempt, error, startMs);
      throw error;
    });
    oracles.trace.note(() => `${name} writes ${attempt.mutations.map(({ kind, key }) => `${kind} ${key}`).join()}`);
    this.#checkWritten(request, answer, name, remembered);
    if (request.durability !== undefined) coverage.count(`durable ${answer.durability}`);
    keeper.answered(request.session, answer.session);
    memory.wrote(attempt, answer);
  }

  /** Some writes wait for other origins, once there are any that count. */
  #durability(random: SeededRandom): Pick<WriteRequest, 'durability' | 'durabilityTimeoutMs'> {
    const { origins } = this.#options.cluster;
    if (origins.length === 1 || !origins.every(({ hasServed }) => hasServed) || random.chance(0.7)) return {};
    return { durability: random.pick(['majority', 'all']), durabilityTimeoutMs: random.between(10, 200) };
  }

  async #moveHome(random: SeededRandom): Promise<void> {
    const { cluster, oracles, coverage } = this.#options;
    const [at, to] = [random.pick(cluster.origins), random.pick(cluster.origins)];
    if (to.id === undefined) return;
    await at.node?.moveHome(title, to.id, this.#call());
    oracles.trace.note(() => `${at.name} moves the home to ${to.name}`);
    coverage.count('homes moved');
  }

  #mutations(number: number, random: SeededRandom): Mutation[] {
    const { keys } = this.#options;
    const count = random.chance(0.2) ? random.between(2, 4) : 1;
    const chosen = new Set(Array.from({ length: count }, () => random.pick(keys)));
    const conditional = count === 1 && random.chance(0.25);
    return [...chosen].map((key, index): Mutation => {
      const condition = conditional ? (this.#versions.get(key) ?? ({ kind: 'absent' } as const)) : undefined;
      const conditioned = condition === undefined ? {} : { condition };
      if (random.chance(0.3)) return { kind: 'delete', key, ...conditioned };
      const bytes = random.pick([5, 5, 5, 40, 5000]);
      const expiry = random.chance(0.35) ? { expiry: { kind: 'in' as const, seconds: 1 } } : {};
      const metadata = random.chance(0.1) ? { metadata: `{"n":${number}}` } : {};
      return { kind: 'put', key, value: signedValue(number, index, bytes), ...expiry, ...metadata, ...conditioned };
    });
  }

  /** Acknowledged means on disk, and later than what its user knew of the key. */
  #checkWritten(request: WriteRequest, answer: WriteAnswer, name: string, remembered: Remembered): void {
    const { oracles } = this.#options;
    const { mutations } = request;
    oracles.acknowledged(request, answer);
    mutations.forEach(({ key }, index) => {
      const stamp = answer.written[index]?.stamp;
      if (stamp !== undefined && oracles.truthOf().written(stamp) === undefined) {
        oracles.trace.violated(`${name} acknowledged ${key} at ${stamp}, which no disk has`);
      }
      const known = remembered.get(mapKey(answer.namespace, key));
      if (stamp !== undefined && known !== undefined && stamp <= known) {
        oracles.trace.violated(`${name} wrote ${key} at ${stamp} for a user who saw ${known}`);
      }
    });
  }

  /** A condition is decided against the true current version. */
  #checkRefusal({ mutations }: Attempt, error: unknown, startMs: number): void {
    const { time, oracles } = this.#options;
    const [mutation] = mutations;
    if (!(error instanceof MeridianError) || error.details.reason !== 'condition-not-met' || mutation === undefined)
      return;
    const found = error.details.versionFound;
    const right = oracles.truths().some((truth) =>
      oracles.namespaces().some((id) => {
        const versions = truth.between(id, mutation.key, startMs, time.nowMs);
        // What a later write of the same commit took the place of was never on a disk.
        const replaced = found !== undefined && versions.some((version) => (version?.record.stamp ?? '') > found);
        if (replaced && truth.written(found as Stamp) === undefined) return true;
        // Nor was an end of the key.
        const isNew = (version: Version | undefined) =>
          version !== undefined && version.atMs >= startMs && !oracles.attempts.isOfWholeCommit(version.record.stamp);
        if (found === undefined && mutation.condition?.kind === 'version' && versions.some(isNew)) return true;
        return versions.some((version) =>
          mayRefuse(truth, { condition: mutation.condition, found }, version?.record, {
            fromMs: startMs,
            toMs: time.nowMs,
          }),
        );
      }),
    );
    if (!right) oracles.trace.violated(`${mutation.key}: refused against ${found}, which was not there`);
  }

  /** For an operation that begins now: nobody says that the namespace is unknown while there is one all the time. */
  #notFoundCheck(name: string): (error: unknown) => void {
    const { oracles, time } = this.#options;
    const startMs = time.nowMs;
    // Asked now and at the end: a disk may be put back, copied or emptied in between.
    const atStart = oracles.namespaces().filter((id) => oracles.wasThere(id, startMs));
    return (error) => {
      if (!(error instanceof MeridianError) || error.code !== 'NOT_FOUND') return;
      if (oracles.hasRemovedOriginRunning()) return;
      const alive = atStart.some((id) => oracles.wasThere(id, startMs) && !oracles.isDead(id));
      if (alive) oracles.trace.violated(`${name} knows no namespace ${title}, and there is one`);
    };
  }

  /** Deletes the namespace and creates another one under its title. */
  async #replaceNamespace(node: Upstream, name: string, keeper: SessionKeeper, random: SeededRandom): Promise<void> {
    const { time, oracles, coverage, cluster } = this.#options;
    const removed = await node.remove(title, this.#call());
    keeper.changed(removed.session);
    oracles.trace.note(() => `${name} deletes the namespace ${removed.namespace.id}`);
    coverage.count('namespaces deleted');
    for (;;) {
      await time.wait(random.between(0, 60));
      const again = random.pick(cluster.processes).node;
      const created = await again?.create(title, this.#call()).catch((error: MeridianError) => error);
      if (created instanceof MeridianError ? created.code !== 'ALREADY_EXISTS' : created === undefined) continue;
      if (created instanceof MeridianError || created === undefined) return;
      keeper.changed(created.session);
      oracles.trace.note(() => `${name} creates the namespace ${created.namespace.id}`);
      return;
    }
  }
}

/** From an origin where it was asked, within the bound that was asked for, or marked as past it. */
function isAsWished(
  node: string,
  { source, bound, past, responder }: Provenance,
  { maxStalenessMs, atOrigin }: Partial<ReadOptions>,
): boolean {
  if (atOrigin === true || maxStalenessMs === 0) return source === 'origin';
  // What is held here satisfies no bound that was asked for while its own is unknown.
  if (maxStalenessMs !== undefined && bound === undefined && source !== 'origin' && responder === node) return false;
  return maxStalenessMs === undefined || past || (bound !== undefined && bound.boundMs <= maxStalenessMs);
}

function shown({ record, source, bound, past }: GetAnswer): string {
  const is = record === undefined ? 'nothing' : `${record.kind} ${record.stamp}`;
  return `${is} ${source} ${bound?.boundMs}${past ? ' past' : ''}`;
}
