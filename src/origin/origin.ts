import type { Call } from '../model/call.ts';
import type {
  DigestRequest,
  Member,
  NodeIdentity,
  NodeStatus,
  RemovedMember,
  RemoveMemberRequest,
  Report,
  ReportRequest,
  ScopeDigest,
} from '../model/cluster.ts';
import { toMeridianError } from '../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../model/feed.ts';
import { everything } from '../model/filter.ts';
import type { GetAnswer, GetRequest, ListAnswer, ListRequest, WriteAnswer, WriteRequest } from '../model/key-value.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import { type LogId, nowhere } from '../model/position.ts';
import type { RangeDigest, RangeDigestRequest } from '../model/range-digest.ts';
import { holds } from '../model/rules.ts';
import { emptySession } from '../model/session.ts';
import type { CreateTokenRequest, IssuedToken, RotateTokenRequest, StoredToken, TokenInfo } from '../model/token.ts';
import { inStep } from '../model/trace.ts';
import { aroundKeptMs, aroundMs, type Peer } from '../model/upstream.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { Digests } from '../replication/anti-entropy/digests.ts';
import { drainedStatus } from '../replication/drained-status.ts';
import type { Ledger } from '../replication/ledger.ts';
import { SharedAnswer } from '../runtime/shared-answer.ts';
import { untilAborted } from '../runtime/until-aborted.ts';
import { either, withEither } from '../runtime/with-either.ts';
import { hasCondition } from './has-condition.ts';
import { forgetLeaving, keepErased, readIdentity, readLeaving, readOrFound } from './membership/identity.ts';
import type { OriginOptions } from './origin-options.ts';
import { type OpenedOrigin, OriginParts } from './origin-parts.ts';
import { originMembers, originStatus } from './origin-status.ts';
import { openLedger } from './registry-repair.ts';

/** Origins first. */
function byRole(a: Member, b: Member): number {
  return a.role === b.role ? 0 : a.role === 'origin' ? -1 : 1;
}

/** Milliseconds that a change of the registry may take for a caller that sets no deadline. */
const patienceMs = 30_000;

/** The authoritative side: an Upstream over a durable store, and over the other origins of its cluster. */
export class Origin implements Peer {
  readonly #options: OriginOptions;
  readonly #ledger: Ledger;
  readonly #parts: OriginParts;
  readonly #startedMs: number;
  readonly #digests = new Digests();
  readonly #around: SharedAnswer<readonly NodeStatus[]>;

  private constructor(options: OriginOptions, opened: OpenedOrigin) {
    this.#options = options;
    this.#ledger = opened.ledger;
    this.#startedMs = options.clock.monotonicMs();
    this.#around = new SharedAnswer(() => this.#askAround(), options.clock, aroundKeptMs);
    this.#parts = new OriginParts(options, opened);
  }

  /**
   * Opens over a store that is open. An empty one founds a cluster, or with peers waits to be admitted to theirs.
   * The caller closes the store afterwards.
   */
  static async open(options: OriginOptions): Promise<Origin> {
    let { stores } = options;
    const leaving = await readLeaving(stores.store);
    if (leaving?.as === 'before') {
      stores = await stores.takeBack();
      await forgetLeaving(stores.store);
    } else if (leaving !== undefined) {
      // A store that was filled in part, and never served, is nobody's only copy.
      const identity = await readIdentity(stores.store);
      const before = stores.aside.at(-1);
      if (identity?.served === true || before === undefined) stores = await stores.putAside();
      else {
        await keepErased(before, { identity, leaving });
        await stores.store.erase();
      }
    }
    const ledger = await openLedger({ ...options, stores });
    const joins = options.peers.length > 0;
    const identity = await readOrFound(ledger, options.random, {
      joins,
      aside: stores.aside.at(-1),
      leaving,
    });
    const origin = new Origin(options, { ledger, identity, stores });
    await origin.#parts.start();
    return origin;
  }

  async close(): Promise<void> {
    await this.#parts.loops.stop();
    await this.#ledger.close();
  }

  get identity(): NodeIdentity {
    return this.#parts.identity;
  }

  /** True while it answers reads and takes writes. */
  get serves(): boolean {
    return this.#parts.membership.serves;
  }

  /** The log that it writes in. */
  get log(): LogId {
    return this.#parts.ownLog.id;
  }

  /** Empty while no cluster has admitted this origin. */
  get clusterId(): string {
    return this.#parts.membership.clusterId ?? '';
  }

  get covered(): VersionVector {
    return this.#ledger.state.covered;
  }

  peek(request: GetRequest): GetAnswer | undefined {
    return this.serves ? this.#parts.reads.peek(request) : undefined;
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    this.#parts.membership.check();
    return this.#parts.reads.get(request, call);
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    this.#parts.membership.check();
    return this.#parts.reads.list(request, call);
  }

  async write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    const { clock, originObserver } = this.#options;
    const startedMs = clock.monotonicMs();
    const measured = (outcome: Parameters<typeof originObserver.written>[0]) =>
      originObserver.written(outcome, request.mutations.length, clock.monotonicMs() - startedMs);
    try {
      const answer = await this.#write(request, call);
      measured('ok');
      return answer;
    } catch (error) {
      measured(toMeridianError(error).code);
      throw error;
    }
  }

  async *follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    const { membership, admission, feed, loops } = this.#parts;
    if (open.role === 'peer') await admission.admit(open);
    else membership.check();
    const ending = either([signal, loops.signal]);
    try {
      yield* feed.follow(open, messages, ending.signal);
    } finally {
      ending.release();
    }
  }

  async create(title: string, call = this.#patient()): Promise<NamespaceChange> {
    return this.#parts.namespaceChanges.create(title, call);
  }

  async find(name: string, call = this.#patient(), session = emptySession): Promise<NamespaceInfo> {
    const { membership, reads } = this.#parts;
    membership.check();
    await reads.covering(session, call);
    return this.#ledger.registry.require(name);
  }

  async namespaces(_call?: Call): Promise<readonly NamespaceInfo[]> {
    this.#parts.membership.check();
    return this.#ledger.registry.namespaces();
  }

  async rename(name: string, title: string, call = this.#patient()): Promise<NamespaceChange> {
    return this.#parts.namespaceChanges.rename(name, title, call);
  }

  async remove(name: string, call = this.#patient()): Promise<NamespaceChange> {
    return this.#parts.namespaceChanges.remove(name, call);
  }

  async moveHome(name: string, origin: string, call = this.#patient()): Promise<NamespaceChange> {
    return this.#parts.namespaceChanges.move(name, origin, call);
  }

  async createToken(request: CreateTokenRequest, call = this.#patient()): Promise<IssuedToken> {
    return this.#parts.tokens.createToken(request, call);
  }

  async tokens(_call?: Call): Promise<readonly TokenInfo[]> {
    return this.#parts.tokens.tokens();
  }

  async rotateToken(request: RotateTokenRequest, call = this.#patient()): Promise<IssuedToken> {
    return this.#parts.tokens.rotateToken(request, call);
  }

  async revokeToken(name: string, call = this.#patient()): Promise<readonly TokenInfo[]> {
    return this.#parts.tokens.revokeToken(name, call);
  }

  /** What a caller may do is decided by what this origin covers; before it serves it cannot tell. */
  knowsTokens(): boolean {
    return this.serves;
  }

  token(id: string): StoredToken | undefined {
    return this.#ledger.registry.tokens.get(id)?.token;
  }

  /** The token that expires next; undefined = none does. */
  nextTokenExpiry(): { readonly name: string; readonly expiresMs: number } | undefined {
    const nowMs = this.#options.clock.wallMs();
    let next: { readonly name: string; readonly expiresMs: number } | undefined;
    for (const { name, expiresMs } of this.#ledger.registry.tokens.all()) {
      if (expiresMs === undefined || expiresMs <= nowMs || expiresMs >= (next?.expiresMs ?? Infinity)) continue;
      next = { name, expiresMs };
    }
    return next;
  }

  namespace(name: string): NamespaceInfo | undefined {
    const found = this.#ledger.registry.resolve(name);
    return found === 'deleted' ? undefined : found;
  }

  async status(_call?: Call): Promise<NodeStatus> {
    const { clock, version, isDraining } = this.#options;
    const status = originStatus({
      parts: this.#parts,
      version,
      uptimeMs: clock.monotonicMs() - this.#startedMs,
      state: this.#ledger.state,
      registry: this.#ledger.registry,
      bytes: await this.#ledger.store.approximateBytes(),
      stores: [this.#ledger.store],
      hotKeys: this.#options.hotKeys?.top((id) => this.namespace(id)?.title) ?? [],
      calls: this.#options.calls?.(),
      storeNotes: this.#options.storeNotes(),
    });
    return isDraining?.() === true ? drainedStatus(status) : status;
  }

  /** The registered origins, and the edges that follow any of them. */
  async members(call: Call = this.#patient()): Promise<readonly Member[]> {
    const known = originMembers(this.#parts, this.#ledger.registry);
    if (call.forwarded) return known;
    const passed: Call = { ...call, forwarded: true };
    const asked = this.#parts.peers.answering().map((peer) => peer.members(passed).catch(() => []));
    const theirs = (await Promise.all(asked)).flat().filter(({ role }) => role === 'edge');
    return [...new Map([...theirs, ...known].map((member) => [member.id, member])).values()].sort(byRole);
  }

  /** The status of each origin that answers, as that one tells it. */
  around({ signal }: Call): Promise<readonly NodeStatus[]> {
    return untilAborted(this.#around.get(), signal);
  }

  async #askAround(): Promise<readonly NodeStatus[]> {
    const call = { deadlineMs: this.#options.clock.monotonicMs() + aroundMs, signal: this.#parts.loops.signal };
    const asked = this.#parts.peers.answering().map((peer) => peer.status(call).catch(() => []));
    return (await Promise.all(asked)).flat();
  }

  async removeMember(request: RemoveMemberRequest, call: Call): Promise<RemovedMember> {
    const { membership, removals } = this.#parts;
    membership.check();
    return removals.remove(request, call);
  }

  async digest(request: DigestRequest, { signal }: Call): Promise<readonly ScopeDigest[]> {
    this.#parts.membership.check();
    const all = { scope: 'all', ledger: this.#ledger, filter: everything } as const;
    return withEither([signal, this.#parts.loops.signal], (ending) => this.#digests.of([all], request, ending));
  }

  async digestRange(request: RangeDigestRequest, { signal }: Call): Promise<RangeDigest> {
    this.#parts.membership.check();
    return withEither([signal, this.#parts.loops.signal], (ending) => {
      return this.#digests.ofRange(this.#ledger, request, ending);
    });
  }

  async report(request: ReportRequest, _call?: Call): Promise<Report> {
    const { membership, removals } = this.#parts;
    membership.check();
    return removals.report(request);
  }

  async #write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    const { membership, homes, reads, writer } = this.#parts;
    membership.check();
    if (!hasCondition(request)) return this.#durably(await writer.write(request, call.trace), request, call);
    const session = holds('R14 a condition waits for its session')
      ? await reads.covering(request.session, call)
      : request.session;
    const asked = { ...request, session };
    return homes.atHomeOf(
      this.#ledger.registry.require(request.namespace),
      call,
      async () => this.#durably(await writer.write(asked, call.trace), request, call),
      (home, passed) => home.write(asked, passed),
    );
  }

  /** The write is synced here; the answer says on how many origins' disks it was in time. */
  async #durably(
    written: Omit<WriteAnswer, 'durability'>,
    { durability: asked, durabilityTimeoutMs: timeoutMs }: Pick<WriteRequest, 'durability' | 'durabilityTimeoutMs'>,
    call: Call,
  ): Promise<WriteAnswer> {
    const level = asked ?? this.#options.durability;
    const last = written.written.at(-1)?.position ?? nowhere;
    if (level === 'local') return { ...written, durability: level };
    const { deadlineMs, signal } = call;
    return inStep(call, ['durability', { fields: { 'meridian.durability.asked': level } }], async (_call, step) => {
      const durability = await this.#parts.durability.reach(last, level, { timeoutMs, deadlineMs, signal });
      step?.tell({ 'meridian.durability.reached': durability });
      return { ...written, durability };
    });
  }

  /** For a caller in this process that set no deadline. */
  #patient(): Call {
    return { deadlineMs: this.#options.clock.monotonicMs() + patienceMs, signal: this.#parts.loops.signal };
  }
}
