import type { Call } from '../model/call.ts';
import type { Member, NodeIdentity, NodeStatus } from '../model/cluster.ts';
import { MeridianError, toMeridianError } from '../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../model/feed.ts';
import { checkKey } from '../model/key.ts';
import type {
  GetAnswer,
  GetRequest,
  ListAnswer,
  ListRequest,
  Provenance,
  WriteAnswer,
  WriteRequest,
} from '../model/key-value.ts';
import { decodeListCursor } from '../model/list-cursor.ts';
import { checkListLimit } from '../model/list-limit.ts';
import type { NamespaceId, NamespaceInfo } from '../model/namespace.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import { expireInPlace, isReadable, type Record } from '../model/record.ts';
import type { Upstream } from '../model/upstream.ts';
import { covers, missingOrigins, type VersionVector } from '../model/version-vector.ts';
import { FeedServer } from '../replication/feed-server.ts';
import { Ledger } from '../replication/ledger.ts';
import { listPage } from '../replication/list-page.ts';
import { NamespaceRemover } from '../replication/namespace-remover.ts';
import { Sweeper } from '../replication/sweeper.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { waitUntil } from '../runtime/wait-until.ts';
import { beginEpoch, type OriginIdentity, readOrFound } from './founding.ts';
import { NamespaceWriter } from './namespace-writer.ts';
import type { OriginOptions } from './origin-options.ts';
import { originStatus } from './origin-status.ts';
import { Writer } from './writer.ts';

/** The authoritative side: an Upstream over a durable store. */
export class Origin implements Upstream {
  readonly identity: NodeIdentity;
  readonly clusterId: string;
  readonly #options: OriginOptions;
  readonly #ledger: Ledger;
  readonly #feed: FeedServer;
  readonly #writer: Writer;
  readonly #namespaces: NamespaceWriter;
  readonly #loops: Lifecycle;
  readonly #startedMs: number;
  readonly #self: OriginIdentity;

  private constructor(options: OriginOptions, ledger: Ledger, self: OriginIdentity) {
    const { clock, observer, random, name, region, location } = options;
    this.#options = options;
    this.#ledger = ledger;
    this.#self = self;
    this.#startedMs = clock.monotonicMs();
    this.clusterId = self.clusterId;
    this.identity = { name, role: 'origin', id: self.id, region, ...(location === undefined ? {} : { location }) };
    this.#feed = new FeedServer({
      ...options,
      ledger,
      identity: this.identity,
      clusterId: self.clusterId,
      nonce: random.hex(8),
      self: self.id,
      generation: self.id,
      bound: () => ({ boundMs: 0, root: self.id }),
    });
    this.#writer = new Writer({ ...options, ledger, self: self.id });
    this.#namespaces = new NamespaceWriter({ writer: this.#writer, registry: ledger.registry, random, self: self.id });
    this.#loops = new Lifecycle((loop, error) => observer.commitFailed(new Error(`${loop} ended`, { cause: error })));
  }

  /** Opens over a store that is open, founding a cluster in an empty one. The caller closes the store afterwards. */
  static async open(options: OriginOptions): Promise<Origin> {
    const ledger = await Ledger.open(options);
    const self = await readOrFound(ledger, options.random);
    const { name, region, location } = options;
    const registered = { id: self.id, name, region, ...(location === undefined ? {} : { location }) };
    await beginEpoch(ledger, registered, options);
    const origin = new Origin(options, ledger, self);
    origin.#startLoops();
    return origin;
  }

  async close(): Promise<void> {
    await this.#loops.stop();
    await this.#ledger.close();
  }

  get covered(): VersionVector {
    return this.#ledger.state.covered;
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    return this.#measured('get', async () => {
      checkKey(request.key);
      await this.#covering(request.session.vector, call);
      const namespace = this.#ledger.registry.require(request.namespace).id;
      const { covered } = this.#ledger.state;
      const record = await this.#ledger.store.read({ namespace, key: request.key });
      return { record: this.#asRead(record), ...this.#provenance(namespace, covered) };
    });
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    return this.#measured('list', async () => {
      checkListLimit(request.limit);
      await this.#covering(request.session.vector, call);
      const namespace = this.#ledger.registry.require(request.namespace).id;
      const { prefix, limit, cursor } = request;
      const after = cursor === undefined ? undefined : decodeListCursor(cursor, namespace, prefix);
      const { snapshot, state } = this.#ledger.instant();
      try {
        const range = { namespace, prefix, limit, ...(after === undefined ? {} : { after }) };
        const page = await listPage(snapshot, range, this.#options.clock.wallMs());
        return { ...page, ...this.#provenance(namespace, state.covered) };
      } finally {
        await snapshot.close();
      }
    });
  }

  async write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    const { clock, originObserver } = this.#options;
    const startedMs = clock.monotonicMs();
    const measured = (outcome: Parameters<typeof originObserver.written>[0]) =>
      originObserver.written(outcome, request.mutations.length, clock.monotonicMs() - startedMs);
    try {
      if (request.mutations.some(({ condition }) => condition !== undefined)) {
        await this.#covering(request.session.vector, call);
      }
      const answer = await this.#writer.write(request);
      measured('ok');
      // Alone, this origin is the majority and all of them.
      return { ...answer, durability: request.durability ?? this.#options.durability };
    } catch (error) {
      measured(toMeridianError(error).code);
      throw error;
    }
  }

  follow(open: FollowOpen, messages: AsyncIterable<FollowerMessage>, signal: AbortSignal): AsyncIterable<FeedEvent> {
    return this.#feed.follow(open, messages, AbortSignal.any([signal, this.#loops.signal]));
  }

  async create(title: string, _call?: Call): Promise<NamespaceChange> {
    return this.#namespaces.create(title);
  }

  async find(name: string, _call?: Call): Promise<NamespaceInfo> {
    return this.#ledger.registry.require(name);
  }

  async namespaces(_call?: Call): Promise<readonly NamespaceInfo[]> {
    return this.#ledger.registry.namespaces();
  }

  async rename(name: string, title: string, _call?: Call): Promise<NamespaceChange> {
    return this.#namespaces.rename(name, title);
  }

  async remove(name: string, _call?: Call): Promise<NamespaceChange> {
    return this.#namespaces.remove(name);
  }

  async status(_call?: Call): Promise<NodeStatus> {
    const { clock, version } = this.#options;
    return originStatus({
      node: this.identity,
      clusterId: this.#self.clusterId,
      version,
      uptimeMs: clock.monotonicMs() - this.#startedMs,
      state: this.#ledger.state,
      bytes: await this.#ledger.store.approximateBytes(),
      followers: this.#feed.followers(),
    });
  }

  async members(_call?: Call): Promise<readonly Member[]> {
    const edges = new Map<string, Member>();
    for (const { node, role } of this.#feed.followers()) {
      if (role !== 'watch') edges.set(node.id, { ...node, connected: true });
    }
    return [{ ...this.identity, connected: true }, ...edges.values()];
  }

  #startLoops(): void {
    const options = { ...this.#options, ledger: this.#ledger };
    const remover = new NamespaceRemover(options);
    const sweeper = new Sweeper({
      ...options,
      mayPurge: ({ key }) => !key.startsWith('namespace/') || remover.hasRemoved(key.slice(10) as NamespaceId),
    });
    this.#loops.run('sweeper', (signal) => sweeper.run(signal));
    this.#loops.run('namespace remover', (signal) => remover.run(signal));
  }

  /** Waits for what the session saw (rule R14). @throws UNAVAILABLE naming the origins that are missing */
  async #covering(vector: VersionVector, call: Call): Promise<void> {
    const covered = () => covers(this.#ledger.state.covered, vector);
    if (covered()) return;
    const wait = { clock: this.#options.clock, deadlineMs: call.deadlineMs, signal: call.signal };
    if (await waitUntil(covered, (run) => this.#ledger.ring.onceChanged(run), wait)) return;
    const missing = missingOrigins(this.#ledger.state.covered, vector);
    throw new MeridianError('UNAVAILABLE', `the session saw writes of ${missing.join(', ')} that are not here yet`, {
      reason: 'session-not-covered',
    });
  }

  #asRead(record: Record | undefined): Record | undefined {
    if (record?.kind !== 'live' || isReadable(record, this.#options.clock.wallMs())) return record;
    return expireInPlace(record);
  }

  #provenance(namespace: NamespaceId, covered: VersionVector): Provenance {
    const bound = { boundMs: 0, root: this.#self.id };
    return { namespace, source: 'origin', bound, past: false, covered, responder: this.identity.name };
  }

  async #measured<T extends GetAnswer | ListAnswer>(kind: 'get' | 'list', read: () => Promise<T>): Promise<T> {
    const { clock, originObserver } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const answer = await read();
      const found = 'keys' in answer || answer.record?.kind === 'live';
      originObserver.read(kind, found ? 'found' : 'absent', clock.monotonicMs() - startedMs);
      return answer;
    } catch (error) {
      originObserver.read(kind, toMeridianError(error).code, clock.monotonicMs() - startedMs);
      throw error;
    }
  }
}
