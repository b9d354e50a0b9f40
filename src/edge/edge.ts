import type { Call } from '../model/call.ts';
import type {
  DigestRequest,
  Member,
  NodeIdentity,
  NodeStatus,
  RemovedMember,
  RemoveMemberRequest,
  ScopeDigest,
} from '../model/cluster.ts';
import { MeridianError, toMeridianError } from '../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../model/feed.ts';
import { containsRange } from '../model/filter.ts';
import { checkKey } from '../model/key.ts';
import type { GetAnswer, GetRequest, ListAnswer, ListRequest, WriteAnswer, WriteRequest } from '../model/key-value.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import type { RangeDigest, RangeDigestRequest } from '../model/range-digest.ts';
import { emptySession } from '../model/session.ts';
import type { CreateTokenRequest, IssuedToken, RotateTokenRequest, StoredToken, TokenInfo } from '../model/token.ts';
import { aroundKeptMs, aroundMs, type Upstream } from '../model/upstream.ts';
import { Digests } from '../replication/anti-entropy/digests.ts';
import { drainedStatus } from '../replication/drained-status.ts';
import { Tracks } from '../replication/serving/tracks.ts';
import { type ExpiryClock, sleep } from '../runtime/clock.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { lookAgain, Notice } from '../runtime/notice.ts';
import { SharedAnswer } from '../runtime/shared-answer.ts';
import { untilAborted } from '../runtime/until-aborted.ts';
import { either, withEither } from '../runtime/with-either.ts';
import { Audit } from './audit/audit.ts';
import { EdgeClocks } from './edge-clocks.ts';
import type { EdgeOptions } from './edge-options.ts';
import { EdgeRegistries } from './edge-registries.ts';
import { EdgeScopes } from './edge-scopes.ts';
import { edgeStatus } from './edge-status.ts';
import { FailBack } from './fail-back.ts';
import { KnownTitles } from './known-titles.ts';
import { Lists } from './lists.ts';
import { LoadPermits } from './load-permits.ts';
import { Loads } from './loads.ts';
import { NodeState } from './node-state.ts';
import { Reads } from './reads.ts';
import { RefusedNamespaces } from './refused-namespaces.ts';
import type { Relay } from './relay.ts';
import { areFixed, resolvePatterns } from './replicated-filter.ts';
import { Upstreams } from './upstreams.ts';
import { Writes } from './writes.ts';

/** The share of a load's time: an upstream that was silent for less has not failed. */
const hasteShare = 0.1;
/** Milliseconds between checks whether an upstream allows this edge what it refused. */
const refusedLookMs = 60_000;

/** The local side: an Upstream over copies and a cache, and other Upstreams behind them. */
export class Edge implements Upstream {
  readonly identity: NodeIdentity;
  readonly #options: EdgeOptions;
  readonly #upstreams: Upstreams;
  readonly #reads: Reads;
  readonly #lists: Lists;
  readonly #writes: Writes;
  readonly #loops: Lifecycle;
  readonly #failBack: FailBack;
  readonly #startedMs: number;
  readonly #digests = new Digests();
  readonly #around: SharedAnswer<readonly NodeStatus[]>;
  readonly #nodeState: NodeState;
  readonly #clocks: EdgeClocks;
  readonly #tracks: Tracks;
  /** The id of this process, by which a connection to itself is noticed. */
  readonly #nonce: string;
  readonly #registries = new EdgeRegistries();
  readonly #refused = new RefusedNamespaces();
  /** Given when an upstream refused to let this edge follow what it asked for. The flag stays until that is handled. */
  readonly #refusal = new Notice();
  #wasRefused = false;
  #scopes: EdgeScopes | undefined;

  private constructor(options: EdgeOptions, nodeState: NodeState) {
    const { clock, identity } = options;
    this.#options = options;
    this.#nodeState = nodeState;
    this.#tracks = new Tracks(clock);
    this.#nonce = options.random.hex(8);
    this.identity = { ...identity, role: 'edge', id: nodeState.id };
    this.#upstreams = new Upstreams(options.upstreams, clock, {
      ...options.backoff,
      silenceMsMin: options.loadTimeoutMs * hasteShare,
    });
    this.#clocks = new EdgeClocks({
      ...options,
      rememberedOffsetMs: nodeState.clockOffsetMs,
      remember: (offsetMs) => void nodeState.rememberClockOffset(offsetMs).catch(options.observer.commitFailed),
    });
    const expiryClock = this.#clocks.root;
    const permits = new LoadPermits(options);
    const loads = new Loads({ ...options, permits, settled: this.#clocks.settled, upstreams: this.#upstreams });
    const scopes = () => this.#scopes;
    const titles = new KnownTitles();
    const responder = this.identity.name;
    this.#reads = new Reads({ ...options, expiryClock, loads, scopes, titles, responder, upstreams: this.#upstreams });
    this.#lists = new Lists({ ...options, expiryClock, permits, scopes, responder, upstreams: this.#upstreams });
    this.#writes = new Writes({ ...options, scopes, titles, upstreams: this.#upstreams });
    this.#loops = new Lifecycle((name, error) => {
      options.observer.commitFailed(new Error(`${name} ended`, { cause: error }));
    });
    this.#failBack = new FailBack({
      ...options.failBack,
      upstreams: this.#upstreams,
      clock,
      routes: () => this.#scopes?.liveRoutes() ?? [],
    });
    this.#startedMs = clock.monotonicMs();
    this.#around = new SharedAnswer(() => this.#askAround(), clock, aroundKeptMs);
  }

  /** Opens over stores that are open and starts to follow. The caller closes the stores afterwards. */
  static async open(options: EdgeOptions): Promise<Edge> {
    const nodeState = await NodeState.open(options.cacheStore, options.random);
    const edge = new Edge(options, nodeState);
    // The registry that an earlier run left resolves the patterns until the feed tells more.
    edge.#use(await edge.#openScopes(nodeState.namespaces()));
    const scopes = () => edge.#scopes?.all.map(({ scope }) => scope) ?? [];
    const audit = new Audit({ ...options, expiryClock: edge.expiryClock, upstreams: edge.#upstreams, scopes });
    edge.#loops.run('audit', (signal) => audit.run(signal));
    edge.#loops.run('fail-back', (signal) => edge.#failBack.run(signal));
    edge.#loops.run('patterns', (signal) => edge.#followPatterns(signal));
    edge.#loops.run('refusals', (signal) => edge.#followRefusals(signal));
    return edge;
  }

  async close(): Promise<void> {
    await this.#loops.stop();
    await this.#scopes?.close();
  }

  /** The wall clock of the edge's origin, as far as it is known. */
  get expiryClock(): ExpiryClock {
    return this.#clocks.root;
  }

  /** True once it can answer truthfully: caught up, or able to load. */
  ready(): boolean {
    return this.#upstreams.answers || this.hasCaughtUp;
  }

  /** True once each scope has received all that it follows, in this run or an earlier one. */
  get hasCaughtUp(): boolean {
    const scopes = this.#scopes?.all ?? [];
    return scopes.length > 0 && scopes.every(({ scope }) => scope.hasCaughtUp);
  }

  peek(request: GetRequest): GetAnswer | undefined {
    return this.#reads.peek(request);
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    checkKey(request.key);
    return this.#reads.get(request, call);
  }

  list(request: ListRequest, call: Call): Promise<ListAnswer> {
    return this.#lists.list(request, call);
  }

  write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    return this.#writes.write(request, call);
  }

  /**
   * Followers of a copied scope are served here: an edge with a copy is a relay. A client's watch is passed to an
   * origin: a copy may lose in a crash what it had shown and not synced, and a watch, unlike a follower, merges
   * nothing.
   */
  async *follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    const ending = either([signal, this.#loops.signal]);
    try {
      if (open.role === 'watch') yield* this.#upstreams.watch(open, this.#nodeState.clusterId, messages, ending.signal);
      else if (this.#options.standsBy === true) throw standsBy(this.identity.name);
      else yield* this.#relayFor(open, this.#scopes?.copy?.relay).follow(open, messages, ending.signal);
    } finally {
      ending.release();
    }
  }

  create(title: string, call: Call): Promise<NamespaceChange> {
    return this.#upstreams.call(call, (upstream, passed) => upstream.create(title, passed));
  }

  async find(name: string, call: Call, session = emptySession): Promise<NamespaceInfo> {
    const known = this.#scopes?.resolve(name, session.vector);
    if (known !== undefined && known !== 'deleted') return known;
    return this.#upstreams.ask(call, (upstream, asked) => upstream.find(name, asked, session));
  }

  async namespaces(call: Call): Promise<readonly NamespaceInfo[]> {
    return this.#upstreams
      .ask(call, (upstream, asked) => upstream.namespaces(asked))
      .catch((error: unknown) => {
        const held = this.#scopes?.all.find(({ scope }) => scope.hasCaughtUp);
        if (held === undefined || toMeridianError(error).code !== 'UNAVAILABLE') throw error;
        return held.scope.ledger.registry.namespaces();
      });
  }

  rename(name: string, title: string, call: Call): Promise<NamespaceChange> {
    return this.#upstreams.call(call, (upstream, passed) => upstream.rename(name, title, passed));
  }

  remove(name: string, call: Call): Promise<NamespaceChange> {
    return this.#upstreams.call(call, (upstream, passed) => upstream.remove(name, passed));
  }

  moveHome(name: string, origin: string, call: Call): Promise<NamespaceChange> {
    return this.#upstreams.call(call, (upstream, passed) => upstream.moveHome(name, origin, passed));
  }

  createToken(request: CreateTokenRequest, call: Call): Promise<IssuedToken> {
    return this.#upstreams.call(call, (upstream, passed) => upstream.createToken(request, passed));
  }

  tokens(call: Call): Promise<readonly TokenInfo[]> {
    return this.#upstreams.ask(call, (upstream, asked) => upstream.tokens(asked));
  }

  rotateToken(request: RotateTokenRequest, call: Call): Promise<IssuedToken> {
    return this.#upstreams.call(call, (upstream, passed) => upstream.rotateToken(request, passed));
  }

  revokeToken(name: string, call: Call): Promise<readonly TokenInfo[]> {
    return this.#upstreams.call(call, (upstream, passed) => upstream.revokeToken(name, passed));
  }

  knowsTokens(): boolean {
    return this.#registries.knowsTokens();
  }

  token(id: string): StoredToken | undefined {
    return this.#registries.token(id);
  }

  tokensAgeMs(): number | undefined {
    return this.#registries.tokensAgeMs();
  }

  namespace(name: string): NamespaceInfo | undefined {
    return this.#registries.namespace(name);
  }

  async status(): Promise<NodeStatus> {
    const { clock, version, isDraining } = this.#options;
    const status = await edgeStatus({
      node: this.identity,
      clusterId: this.#nodeState.clusterId,
      version,
      ready: this.ready(),
      uptimeMs: clock.monotonicMs() - this.#startedMs,
      scopes: this.#scopes,
      patterns: this.#options,
      refused: this.#refused.titles,
      clock: this.#clocks.status(),
      hitRate: this.#reads.hitRate,
      calls: this.#options.calls?.(),
      hotKeys: this.#options.hotKeys?.top((id) => this.namespace(id)?.title) ?? [],
      tracks: this.#tracks.status(),
      said: this.#options.notes?.() ?? [],
    });
    return isDraining?.() === true ? drainedStatus(status) : status;
  }

  /** The status of its upstream, as that one tells it; none if no upstream is reached. */
  around({ signal }: Call): Promise<readonly NodeStatus[]> {
    return untilAborted(this.#around.get(), signal);
  }

  /** A silent upstream leaves half of the remaining time to the others. The outcome does not affect reads. */
  async #askAround(): Promise<readonly NodeStatus[]> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + aroundMs;
    const others = this.#upstreams.preferred().filter(({ isOwnProcess }) => isOwnProcess !== true);
    for (const [at, { upstream }] of others.entries()) {
      const leftMs = untilMs - clock.monotonicMs();
      const deadlineMs = untilMs - (at === others.length - 1 ? 0 : leftMs / 2);
      const status = await upstream.status({ deadlineMs, signal: this.#loops.signal }).catch(() => undefined);
      if (status !== undefined) return [status];
    }
    return [];
  }

  /** The members as its upstream sees them, and the edges that follow this one. */
  async members(call: Call): Promise<readonly Member[]> {
    const members = await this.#upstreams.ask(call, (upstream, asked) => upstream.members(asked));
    const all = new Map(members.map((member) => [member.id, member]));
    for (const node of this.#scopes?.copy?.relay.nodes() ?? []) all.set(node.id, { ...node, connected: true });
    return [...all.values()];
  }

  /** @throws FAILED_PRECONDITION if this edge is no relay, or follows itself; UNAVAILABLE while its scopes open */
  #relayFor({ role, nonce }: FollowOpen, relay: Relay | undefined): Relay {
    if (nonce === this.#nonce) {
      throw new MeridianError('FAILED_PRECONDITION', 'this edge is its own upstream', { reason: 'follows-itself' });
    }
    if (role === 'peer' || this.#options.replicate.length === 0) {
      const what = role === 'peer' ? 'is no origin' : 'copies nothing, so it serves no followers';
      throw new MeridianError('FAILED_PRECONDITION', `${this.identity.name} ${what}`, { reason: 'not-a-relay' });
    }
    if (relay !== undefined) return relay;
    throw new MeridianError('UNAVAILABLE', 'the scopes of this edge are being opened', {
      reason: 'feed-suspended',
      retryAfterMs: 1000,
    });
  }

  removeMember(request: RemoveMemberRequest, call: Call): Promise<RemovedMember> {
    return this.#upstreams.call(call, (upstream, passed) => upstream.removeMember(request, passed));
  }

  /** The digests of the copy, once it has caught up. */
  async digest(request: DigestRequest, { signal }: Call): Promise<readonly ScopeDigest[]> {
    const copy = this.#scopes?.copy?.scope;
    const held = copy?.hasCaughtUp ? [{ scope: 'copy', ledger: copy.ledger, filter: copy.filter } as const] : [];
    return withEither([signal, this.#loops.signal], (ending) => this.#digests.of(held, request, ending));
  }

  /** By a copy that holds the range whole; otherwise by the upstream. */
  async digestRange(request: RangeDigestRequest, call: Call): Promise<RangeDigest> {
    const copy = this.#scopes?.copy?.scope;
    if (copy?.hasCaughtUp && containsRange(copy.filter, request)) {
      return withEither([call.signal, this.#loops.signal], (ending) => {
        return this.#digests.ofRange(copy.ledger, request, ending);
      });
    }
    return this.#upstreams.ask(call, (upstream, asked) => upstream.digestRange(request, asked));
  }

  #use(scopes: EdgeScopes | undefined): void {
    this.#scopes = scopes;
    if (scopes !== undefined) this.#registries.use(scopes.all.map(({ scope }) => scope));
  }

  async #openScopes(known: readonly NamespaceInfo[]): Promise<EdgeScopes> {
    const scopes = await EdgeScopes.open(resolvePatterns(this.#options, this.#refused.without(known)), {
      options: this.#options,
      upstreams: this.#upstreams,
      clocks: this.#clocks,
      identity: this.identity,
      nonce: this.#nonce,
      hitRate: () => (this.#options.tellsHitRate === false ? undefined : this.#reads.hitRate),
      tracks: this.#tracks,
      clusterId: () => this.#nodeState.clusterId,
      joined: (clusterId) => this.#nodeState.join(clusterId),
      refused: () => {
        this.#wasRefused = true;
        this.#refusal.give();
      },
    });
    try {
      await this.#nodeState.keep(); // A store that was erased has lost it.
    } catch (error) {
      await scopes.close(); // Otherwise they would go on beside those that are opened next.
      throw error;
    }
    return scopes;
  }

  /** Opens the scopes anew whenever the registry makes the patterns mean something else. */
  async #followPatterns(signal: AbortSignal): Promise<void> {
    if (areFixed(this.#options)) return;
    while (!signal.aborted) {
      const scopes = this.#scopes;
      if (scopes === undefined) return;
      const { clock } = this.#options;
      const look = { resolvedBy: this.#nodeState.namespaces(), clock, signal };
      const known = await scopes.filtersChanged(this.#options, (had) => this.#refused.without(had), look);
      if (signal.aborted) return;
      this.#scopes = undefined; // Meanwhile every read is loaded.
      await scopes.close();
      this.#nodeState.rememberNamespaces(known);
      this.#use(await this.#openAgain(known, signal));
    }
  }

  /** Asks what this edge may have after a refusal, and again now and then while it lacks something. */
  #followRefusals(signal: AbortSignal): Promise<void> {
    const look = { clock: this.#options.clock, restMs: refusedLookMs, signal };
    return lookAgain(this.#refusal, () => this.#learnRefused(signal), look);
  }

  async #learnRefused(signal: AbortSignal): Promise<void> {
    const scopes = this.#scopes;
    const cached = scopes?.filters.cached;
    if (scopes === undefined || cached === undefined) return;
    if (!this.#wasRefused && this.#refused.isEmpty) return;
    this.#wasRefused = false;
    const call = { deadlineMs: this.#options.clock.monotonicMs() + refusedLookMs, signal };
    const shown = await this.#upstreams.ask(call, (upstream, asked) => upstream.namespaces(asked));
    this.#refused.learn(shown, cached, scopes.namespaces());
    scopes.lookAgain();
  }

  /** Tries until the stores allow it: an edge without scopes would go on loading everything. */
  async #openAgain(known: readonly NamespaceInfo[], signal: AbortSignal): Promise<EdgeScopes | undefined> {
    const { clock, backoff, observer, copyStore, cacheStore } = this.#options;
    while (!signal.aborted) {
      try {
        return await this.#openScopes(known);
      } catch (error) {
        observer.commitFailed(error);
        await sleep(clock, backoff.mostMs, signal).catch(() => {});
        for (const store of [copyStore, cacheStore]) await store.reopen().catch(observer.commitFailed);
      }
    }
    return undefined;
  }
}

function standsBy(name: string): MeridianError {
  return new MeridianError(
    'UNAVAILABLE',
    `${name} stands by to take over from an origin, and serves no followers until then`,
    {
      reason: 'feed-suspended',
      retryAfterMs: 200,
    },
  );
}
