import type { NodeIdentity } from '../model/cluster.ts';
import type { FollowOpen } from '../model/feed.ts';
import { type Filter, filterKey, matches } from '../model/filter.ts';
import type { NamespaceId, NamespaceInfo } from '../model/namespace.ts';
import { covers, emptyVector, type VersionVector } from '../model/version-vector.ts';
import type { FeedSink } from '../replication/feed-sink.ts';
import { FollowLoop } from '../replication/follow-loop.ts';
import { NamespaceRemover } from '../replication/namespace-remover.ts';
import { StalenessTracker } from '../replication/staleness-tracker.ts';
import { Sweeper } from '../replication/sweeper.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { Notice } from '../runtime/notice.ts';
import { CachePart } from './cache-part.ts';
import { CopyPart } from './copy-part.ts';
import type { EdgeOptions } from './edge-options.ts';
import { FeedRoute } from './feed-route.ts';
import { joiningSink } from './joining-sink.ts';
import type { Part } from './part.ts';
import { openPartLedger } from './part-store.ts';
import { Relay } from './relay.ts';
import { type ReplicatedFilter, resolvePatterns } from './replicated-filter.ts';
import type { Upstreams } from './upstreams.ts';

interface Running {
  readonly part: (CopyPart | CachePart) & Part;
  readonly loop: FollowLoop;
  readonly route: FeedRoute;
}

interface RunningCopy extends Running {
  readonly part: CopyPart;
  readonly relay: Relay;
}

interface Opening {
  readonly options: EdgeOptions;
  readonly upstreams: Upstreams;
  readonly identity: NodeIdentity;
  readonly nonce: string;
  /** The cluster that the edge's data are of, where it knows. */
  readonly clusterId: () => string | undefined;
  /** An upstream said which cluster it is of. Throws FAILED_PRECONDITION where that is another one. */
  readonly joined: (clusterId: string) => Promise<void>;
  readonly heard: Notice;
}

/** An edge's parts while their filters stay the same: each a store, a follow loop, and the sweeps. */
export class EdgeParts {
  readonly filters: ReplicatedFilter;
  readonly copy: RunningCopy | undefined;
  readonly cache: (Running & { readonly part: CachePart }) | undefined;
  readonly #loops: Lifecycle;
  /** Given when a registry changed, or a part has caught up. */
  readonly #heard: Notice;

  private constructor(
    filters: ReplicatedFilter,
    copy: RunningCopy | undefined,
    cache: (Running & { readonly part: CachePart }) | undefined,
    background: { readonly loops: Lifecycle; readonly heard: Notice },
  ) {
    this.filters = filters;
    this.copy = copy;
    this.cache = cache;
    this.#loops = background.loops;
    this.#heard = background.heard;
  }

  /** Opens the parts of these filters; a store of another part is first made into one of this (rule R6). */
  static async open(filters: ReplicatedFilter, from: Omit<Opening, 'heard'>): Promise<EdgeParts> {
    const { options } = from;
    const heard = new Notice();
    const opening: Opening = { ...from, heard };
    const loops = new Lifecycle((name, error) => {
      options.observer.commitFailed(new Error(`${name} ended`, { cause: error }));
    });
    const copy = filters.copied === undefined ? undefined : await openCopy(filters.copied, opening);
    const cache = filters.cached === undefined ? undefined : await openCache(filters.cached, opening);
    for (const running of [copy, cache]) if (running !== undefined) startLoops(running, loops, options);
    return new EdgeParts(filters, copy, cache, { loops, heard });
  }

  get all(): readonly Running[] {
    return [this.copy, this.cache].filter((running) => running !== undefined);
  }

  /** Of the parts that are live. */
  liveRoutes(): readonly FeedRoute[] {
    return this.all.filter(({ loop }) => loop.state === 'live').map(({ route }) => route);
  }

  partOf(namespace: NamespaceId, key: string): Part | undefined {
    const { copied } = this.filters;
    if (copied !== undefined && this.copy !== undefined && matches(copied, namespace, key)) return this.copy.part;
    return this.cache?.part;
  }

  /**
   * The part that a key of this name belongs to, by the part's own registry: what it proves of its age holds for the
   * title too, and another part may lag behind it. Undefined where no part knows the name.
   */
  locate(name: string, key: string): { readonly part: Part; readonly namespace: NamespaceInfo } | undefined {
    for (const { part } of this.all) {
      const namespace = part.ledger.registry.resolve(name);
      if (namespace === undefined || namespace === 'deleted') continue;
      if (this.partOf(namespace.id, key) === part) return { part, namespace };
    }
    return undefined;
  }

  /** What any part's registry knows of a name, of those that cover the vector. */
  resolve(name: string, vector: VersionVector = emptyVector): NamespaceInfo | 'deleted' | undefined {
    let found: NamespaceInfo | 'deleted' | undefined;
    for (const { part } of this.all) {
      if (!covers(part.ledger.state.covered, vector)) continue;
      const here = part.ledger.registry.resolve(name);
      if (here === 'deleted') return here;
      found ??= here;
    }
    return found;
  }

  /** The living namespaces of the registries that have caught up; one that is still being filled lacks some. */
  namespaces(): readonly NamespaceInfo[] {
    return this.#caughtUp().flatMap(({ part }) => part.ledger.registry.namespaces());
  }

  /** Looks names up in what is known now, also after these parts are closed. */
  resolver(): (name: string) => NamespaceInfo | undefined {
    return resolverOf(this.namespaces());
  }

  /**
   * Waits until the patterns mean something else than these parts' filters. Nothing is concluded before a registry has
   * caught up: parts that were just opened over erased stores know no name, and would be opened anew for ever.
   */
  async filtersChanged(patterns: readonly string[], signal: AbortSignal): Promise<void> {
    const names = filterNames(this.filters);
    const changed = () =>
      this.#caughtUp().length > 0 && filterNames(resolvePatterns(patterns, this.resolver())) !== names;
    while (!signal.aborted && !changed()) await this.#heard.next(signal);
  }

  #caughtUp(): readonly Running[] {
    return this.all.filter(({ part }) => part.hasCaughtUp);
  }

  async close(): Promise<void> {
    this.copy?.relay.close();
    await this.#loops.stop();
    for (const { part } of this.all) await part.ledger.close();
  }
}

/** Looks a title or an id up in a list of namespaces. */
export function resolverOf(namespaces: readonly NamespaceInfo[]): (name: string) => NamespaceInfo | undefined {
  return (name) => namespaces.find(({ id, title }) => title === name || id === name);
}

function filterNames({ copied, cached }: ReplicatedFilter): string {
  return [copied, cached].map((filter) => (filter === undefined ? '' : filterKey(filter))).join();
}

async function openCopy(filter: Filter, opening: Opening): Promise<RunningCopy> {
  const { options } = opening;
  const ledger = await openPartLedger(options.copyStore, filter, options);
  const tracker = new StalenessTracker(options.clock, options.clockSkewMsMax);
  const part = await CopyPart.open({ ...options, ledger, tracker, filter });
  const relay = await Relay.open(part, { ...options, ...opening });
  const what = { role: 'copy', filter, values: { kind: 'all' } } as const;
  return { part, relay, ...following(part, relay.sink(part), tracker, what, opening) };
}

async function openCache(filter: Filter, opening: Opening): Promise<Running & { readonly part: CachePart }> {
  const { options } = opening;
  const ledger = await openPartLedger(options.cacheStore, filter, options);
  const tracker = new StalenessTracker(options.clock, options.clockSkewMsMax);
  const part = await CachePart.open({ ...options, ledger, tracker });
  const what = { role: 'cache', filter, values: options.feedValues } as const;
  return { part, ...following(part, part, tracker, what, opening) };
}

function following(
  part: Part,
  sink: FeedSink,
  tracker: StalenessTracker,
  what: Pick<FollowOpen, 'role' | 'filter' | 'values'>,
  { options, upstreams, identity, nonce, clusterId, joined, heard }: Opening,
): Pick<Running, 'loop' | 'route'> {
  const route = new FeedRoute(upstreams, options.clock);
  const loop = new FollowLoop({
    ...options,
    part: part.kind,
    sink: joiningSink(sink, part, { joined, heard: () => heard.give() }),
    tracker,
    upstream: () => route.next(),
    open: () => {
      const cluster = clusterId();
      return { protocol: 1, node: identity, nonce, ...what, ...(cluster === undefined ? {} : { clusterId: cluster }) };
    },
  });
  return { loop, route };
}

function startLoops({ part, loop }: Running, loops: Lifecycle, options: EdgeOptions): void {
  const { ledger } = part;
  const remover = new NamespaceRemover({ ...options, ledger });
  const sweeper = new Sweeper({
    ...options,
    ledger,
    mayPurge: (head) => remover.mayPurge(head),
  });
  loops.run(`${part.kind} feed`, (signal) => loop.run(signal));
  loops.run(`${part.kind} sweeper`, (signal) => sweeper.run(signal));
  if (part instanceof CachePart) {
    loops.run('cache disk', (signal) => part.keepDiskBound(options.sweepIntervalMs, signal));
  }
  loops.run(`${part.kind} namespace remover`, (signal) => remover.run(signal));
}
