import type { Call } from '../model/call.ts';
import type { NodeIdentity } from '../model/cluster.ts';
import type { FollowOpen } from '../model/feed.ts';
import { feedVersions } from '../model/feed-version.ts';
import { type Filter, filterKey, matches } from '../model/filter.ts';
import type { GetAnswer, GetRequest } from '../model/key-value.ts';
import type { NamespaceId, NamespaceInfo } from '../model/namespace.ts';
import { emptyVector, type VersionVector } from '../model/version-vector.ts';
import { GarbageCollection } from '../replication/expiry.ts';
import type { FeedSink } from '../replication/following/feed-sink.ts';
import { FollowLoop } from '../replication/following/follow-loop.ts';
import { StalenessTracker } from '../replication/following/staleness-tracker.ts';
import { Mending } from '../replication/mending.ts';
import { NamespaceRemover } from '../replication/namespace-remover.ts';
import type { Tracks } from '../replication/serving/tracks.ts';
import type { Clock } from '../runtime/clock.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { lookAgain, Notice } from '../runtime/notice.ts';
import { CacheScope } from './cache-scope.ts';
import { CopyScope } from './copy-scope.ts';
import type { EdgeClocks } from './edge-clocks.ts';
import type { EdgeOptions } from './edge-options.ts';
import { FeedRoute } from './feed-route.ts';
import { Relay } from './relay.ts';
import { type Patterns, type ReplicatedFilter, resolvePatterns } from './replicated-filter.ts';
import type { Scope, ScopeListener } from './scope.ts';
import { openScopeLedger } from './scope-store.ts';
import type { Upstreams } from './upstreams.ts';

interface Running {
  readonly scope: (CopyScope | CacheScope) & Scope;
  readonly loop: FollowLoop;
  readonly route: FeedRoute;
}

interface RunningCopy extends Running {
  readonly scope: CopyScope;
  readonly relay: Relay;
}

interface Opening {
  readonly options: EdgeOptions;
  readonly upstreams: Upstreams;
  readonly clocks: EdgeClocks;
  readonly identity: NodeIdentity;
  readonly nonce: string;
  /** The cluster of the edge's data, if it is known. */
  readonly clusterId: () => string | undefined;
  /** An upstream named its cluster. Throws FAILED_PRECONDITION if it is another one. */
  readonly joined: (clusterId: string) => Promise<void>;
  readonly heard: Notice;
  /** Called when this edge may not follow what its cache asks for. */
  readonly refused: () => void;
  /** Bytes of records in memory, for one scope. */
  readonly memoryBytesMax: number;
  readonly hitRate: () => number | undefined;
  readonly tracks: Tracks;
}

/** The scope of a key, and what its namespace's name means there. */
export interface Located {
  readonly scope: Scope;
  readonly namespace: NamespaceId;
}

interface FiltersLook {
  /** The namespaces by which the filters were resolved. */
  readonly resolvedBy: readonly NamespaceInfo[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Milliseconds between checks whether a scope has become live; what is heard is noticed at once. */
const lookIntervalMs = 200;
/** Milliseconds without a scan, after which a scope that is not live, and what it may know, is no longer waited for. */
const scanlessMsMax = 10_000;

/** An edge's scopes while their filters stay the same: each has a store, a follow loop and garbage collection. */
export class EdgeScopes {
  readonly filters: ReplicatedFilter;
  readonly copy: RunningCopy | undefined;
  readonly cache: (Running & { readonly scope: CacheScope }) | undefined;
  readonly #loops: Lifecycle;
  /** True if the cache holds all that is not copied. */
  readonly #cachesAll: boolean;
  readonly #copiesAll: boolean;
  /** Given when a registry has changed, or a scope has caught up. */
  readonly #heard: Notice;

  private constructor(
    filters: ReplicatedFilter,
    copy: RunningCopy | undefined,
    cache: (Running & { readonly scope: CacheScope }) | undefined,
    background: { readonly loops: Lifecycle; readonly heard: Notice },
  ) {
    this.filters = filters;
    this.copy = copy;
    this.cache = cache;
    this.#loops = background.loops;
    this.#cachesAll = filters.cached?.includes.some(({ namespace }) => namespace === '*') === true;
    this.#copiesAll = filters.copied?.includes.some(({ namespace }) => namespace === '*') === true;
    this.#heard = background.heard;
  }

  /** Opens the scopes of these filters; a store of another scope is first changed into one of this (rule R6). */
  static async open(filters: ReplicatedFilter, from: Omit<Opening, 'heard' | 'memoryBytesMax'>): Promise<EdgeScopes> {
    const { options } = from;
    const heard = new Notice();
    const isShared = filters.copied !== undefined && filters.cached !== undefined;
    const memoryBytesMax = options.cacheMemoryBytesMax / (isShared ? 2 : 1);
    const opening: Opening = { ...from, heard, memoryBytesMax };
    const loops = new Lifecycle((name, error) => {
      options.observer.commitFailed(new Error(`${name} ended`, { cause: error }));
    });
    const copy = filters.copied === undefined ? undefined : await openCopy(filters.copied, opening);
    const cache = filters.cached === undefined ? undefined : await openCache(filters.cached, opening);
    for (const running of [copy, cache]) if (running !== undefined) startLoops(running, loops, from);
    return new EdgeScopes(filters, copy, cache, { loops, heard });
  }

  get all(): readonly Running[] {
    return [this.copy, this.cache].filter((running) => running !== undefined);
  }

  /** The routes of the scopes that are live. */
  liveRoutes(): readonly FeedRoute[] {
    return this.all.filter(({ loop }) => loop.state === 'live').map(({ route }) => route);
  }

  /** Undefined if the key is neither copied nor cached. */
  scopeOf(namespace: NamespaceId, key: string): Scope | undefined {
    const { copied, cached } = this.filters;
    if (this.#copiesAll) return this.copy?.scope;
    if (copied !== undefined && this.copy !== undefined && matches(copied, namespace, key)) return this.copy.scope;
    if (this.#cachesAll || (cached !== undefined && matches(cached, namespace, key))) return this.cache?.scope;
    return undefined;
  }

  /**
   * The scope that a key of this name belongs to, by the scope's own registry: the age that the scope proves then holds
   * for the title too, while another scope may lag behind. Undefined if no scope knows the name; `deleted` if any knows
   * that. One that has yet to be filled, or filled anew, knows no end of a namespace: what told of it may be void.
   */
  locate(name: string, key: string): Located | 'deleted' | undefined {
    const copy = this.copy?.scope;
    const cache = this.cache?.scope;
    const inCopy = copy?.ledger.registry.idOf(name);
    const inCache = cache?.ledger.registry.idOf(name);
    if (inCopy === 'deleted' || inCache === 'deleted') {
      const isSure = (inCopy === 'deleted' && copy?.hasCaughtUp) || (inCache === 'deleted' && cache?.hasCaughtUp);
      return isSure ? 'deleted' : undefined;
    }
    if (copy !== undefined && inCopy !== undefined && this.scopeOf(inCopy, key) === copy) {
      return { scope: copy, namespace: inCopy };
    }
    if (cache !== undefined && inCache !== undefined && this.scopeOf(inCache, key) === cache) {
      return { scope: cache, namespace: inCache };
    }
    return undefined;
  }

  /** What the registries of those scopes that cover the vector know of a name. */
  resolve(name: string, vector: VersionVector = emptyVector): NamespaceInfo | 'deleted' | undefined {
    let found: NamespaceInfo | 'deleted' | undefined;
    for (const { scope } of this.all) {
      const { state, registry } = scope.ledger;
      if (registry.logs.uncovered(state.covered, vector).length > 0) continue;
      const here = registry.resolve(name);
      if (here !== 'deleted') found ??= here;
      else if (scope.hasCaughtUp) return here;
    }
    return found;
  }

  /**
   * The living namespaces by the registries that have caught up; one that is still being filled lacks some. If any
   * scope is live, only live scopes count: they know better than one that hears nothing.
   */
  namespaces(): readonly NamespaceInfo[] {
    const known = new Map<NamespaceId, NamespaceInfo>();
    const live = this.#live();
    for (const { scope } of live.length > 0 ? live : this.#caughtUp()) {
      for (const namespace of scope.ledger.registry.namespaces()) known.set(namespace.id, namespace);
    }
    return [...known.values()];
  }

  /**
   * Waits until the patterns mean something else than the filters of these scopes, and resolves with the namespaces to
   * resolve them by. While no scope is live, these are the earlier ones (`resolvedBy`): a scope that was just opened
   * over an erased store knows no name, and one that goes on from what it had may know fewer. Either would make the
   * scopes open anew for ever. So would a live scope at an upstream that has not heard of a namespace yet, while
   * another scope is being filled: meanwhile the earlier namespaces count too, except those known to be deleted.
   */
  async filtersChanged(
    patterns: Patterns,
    mayHave: (known: readonly NamespaceInfo[]) => readonly NamespaceInfo[],
    { resolvedBy, clock, signal }: FiltersLook,
  ): Promise<readonly NamespaceInfo[]> {
    const names = filterNames(this.filters);
    let known = resolvedBy;
    let scannedMs = clock.monotonicMs();
    const changed = async () => {
      const nowMs = clock.monotonicMs();
      if (this.all.some(({ loop: { state } }) => state === 'scanning' || state === 'resyncing')) scannedMs = nowMs;
      const isFilling = this.#live().length < this.all.length && nowMs - scannedMs < scanlessMsMax;
      known =
        this.#live().length === 0
          ? resolvedBy
          : [...this.namespaces(), ...(isFilling ? this.#unheard(resolvedBy) : [])];
      return filterNames(resolvePatterns(patterns, mayHave(known))) !== names;
    };
    await lookAgain(this.#heard, changed, { clock, restMs: lookIntervalMs, signal });
    return known;
  }

  /** Other namespaces may be allowed than before. */
  lookAgain(): void {
    this.#heard.give();
  }

  /** The earlier namespaces of which no live scope has heard. */
  #unheard(before: readonly NamespaceInfo[]): readonly NamespaceInfo[] {
    const registries = this.#live().map(({ scope }) => scope.ledger.registry);
    return before.filter(({ id }) => registries.every((registry) => !registry.lives(id) && !registry.isDead(id)));
  }

  #live(): readonly Running[] {
    return this.#caughtUp().filter(({ loop }) => loop.state === 'live');
  }

  #caughtUp(): readonly Running[] {
    return this.all.filter(({ scope }) => scope.hasCaughtUp);
  }

  async close(): Promise<void> {
    this.copy?.relay.close();
    await this.#loops.stop();
    for (const { scope } of this.all) await scope.ledger.close();
  }
}

function filterNames({ copied, cached }: ReplicatedFilter): string {
  return [copied, cached].map((filter) => (filter === undefined ? '' : filterKey(filter))).join();
}

async function openCopy(filter: Filter, opening: Opening): Promise<RunningCopy> {
  const { options } = opening;
  const bounds = { ...options, hotBytesMax: opening.memoryBytesMax };
  const ledger = await openScopeLedger(options.copyStore, filter, { ...bounds, holds: 'all' });
  const tracker = new StalenessTracker(options.clock, options.clockSkewMsMax);
  const scope = await CopyScope.open({ ...options, ledger, tracker, filter, listener: listenerOf(opening) });
  const relay = await Relay.open(scope, { ...options, ...opening, rootClock: opening.clocks.root });
  const what = { role: 'copy', filter, values: { kind: 'all' } } as const;
  return { scope, relay, ...following(scope, tracker, what, opening) };
}

async function openCache(filter: Filter, opening: Opening): Promise<Running & { readonly scope: CacheScope }> {
  const { options } = opening;
  const ledger = await openScopeLedger(options.cacheStore, filter, { ...options, holds: 'some' });
  const tracker = new StalenessTracker(options.clock, options.clockSkewMsMax);
  const { memoryBytesMax: cacheMemoryBytesMax } = opening;
  const scope = await CacheScope.open({
    ...options,
    ...{ ledger, tracker, cacheMemoryBytesMax },
    listener: listenerOf(opening),
  });
  const what = { role: 'cache', filter, values: options.feedValues } as const;
  return { scope, ...following(scope, tracker, what, opening) };
}

function following(
  scope: Scope & FeedSink,
  tracker: StalenessTracker,
  what: Pick<FollowOpen, 'role' | 'filter' | 'values'>,
  { options, upstreams, clocks, identity, nonce, clusterId, refused, hitRate, tracks }: Opening,
): Pick<Running, 'loop' | 'route'> {
  const route = new FeedRoute(upstreams, options.clock, what.role === 'cache' ? refused : () => {});
  const loop = new FollowLoop({
    ...options,
    scope: scope.kind,
    sink: scope,
    tracker,
    hitRate,
    tracks,
    heardClock: (clock) => clocks.heard(clock),
    upstream: () => route.next(),
    open: () => {
      const cluster = clusterId();
      const belongs = cluster === undefined ? {} : { clusterId: cluster };
      return { ...feedVersions, node: identity, nonce, ...what, takesLost: true, ...belongs };
    },
  });
  return { loop, route };
}

function listenerOf({ joined, heard }: Opening): ScopeListener {
  return { joined, heard: () => heard.give() };
}

/** A record that could not be had is asked for again later. */
async function* answers(upstreams: Upstreams, request: GetRequest, call: Call): AsyncGenerator<GetAnswer> {
  const answer = await upstreams.ask(call, (upstream, to) => upstream.get(request, to)).catch(() => undefined);
  if (answer !== undefined) yield answer;
}

function startLoops(
  { scope, loop }: Running,
  loops: Lifecycle,
  { options, upstreams, clocks: { settled } }: Pick<Opening, 'options' | 'upstreams' | 'clocks'>,
): void {
  const { ledger } = scope;
  const changed = scope instanceof CacheScope ? () => scope.changedElsewhere() : () => {};
  const remover = new NamespaceRemover({ ...options, ledger, changed });
  const garbage = new GarbageCollection({
    ...options,
    ledger,
    changed,
    settled,
    mayPurge: (head) => remover.mayPurge(head),
  });
  loops.run(`${scope.kind} feed`, (signal) => loop.run(signal));
  loops.run(`${scope.kind} garbage collection`, (signal) => garbage.run(signal));
  if (scope instanceof CacheScope) {
    loops.run('cache disk', (signal) => scope.keepDiskBound(options.garbageIntervalMs, signal));
  } else {
    const ask = (request: GetRequest, call: Call) => answers(upstreams, request, call);
    const mending = new Mending({ ...options, ledger, settled, ask });
    loops.run('mending', (signal) => mending.run(signal));
  }
  loops.run(`${scope.kind} namespace remover`, (signal) => remover.run(signal));
}
