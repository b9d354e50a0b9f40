import { MeridianError } from '../../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../../model/feed.ts';
import { commonVersion } from '../../model/feed-version.ts';
import { containsFilter, type Filter } from '../../model/filter.ts';
import { holds } from '../../model/rules.ts';
import { Semaphore } from '../../runtime/semaphore.ts';
import { either } from '../../runtime/with-either.ts';
import type { FollowerView } from './follower-status.ts';
import { ScopeShapes } from './scope-shape.ts';
import { type Serving, Subscription } from './subscription.ts';

export interface FeedServerOptions extends Serving {
  /** What this store holds whole; a follower that asks for more is refused. Default: everything. */
  readonly serves?: Filter;
  /** Scans at once, for each of peers, edges and watches; more wait in the order of arrival. */
  readonly scansMax: number;
  /** Followers at once; one more is refused. */
  readonly followersMax: number;
}

/** The serving side of the feed: one subscription for each follower, all over one ledger. */
export class FeedServer {
  readonly #options: FeedServerOptions;
  readonly #shapes = new ScopeShapes();
  /** Peers, edges and watches have permits of their own: a crowd of one kind does not keep the others waiting. */
  readonly #scans: { readonly peers: Semaphore; readonly edges: Semaphore; readonly watches: Semaphore };
  /** Each with what ends it. */
  readonly #subscriptions = new Map<Subscription, { readonly open: FollowOpen; readonly ending: AbortController }>();
  #serving = new AbortController();

  constructor(options: FeedServerOptions) {
    this.#options = options;
    const permits = () => new Semaphore(options.scansMax);
    this.#scans = { peers: permits(), edges: permits(), watches: permits() };
  }

  /** Ends every stream and serves none until `resume` (rules R17, R21). If it serves none already, sets the reason. */
  suspend(why: string): void {
    if (this.#serving.signal.aborted) this.#serving = new AbortController();
    const message = `this node serves no feed now: ${why}`;
    this.#serving.abort(new MeridianError('UNAVAILABLE', message, { reason: 'feed-suspended', retryAfterMs: 200 }));
  }

  resume(): void {
    if (this.#serving.signal.aborted) this.#serving = new AbortController();
  }

  async *follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    this.#admit(open);
    const serving = this.#serving.signal;
    const own = new AbortController();
    const ending = either([signal, serving, own.signal]);
    const { shape, release } = this.#shapes.use(open);
    const subscription = new Subscription(this.#options, open, {
      shape,
      scans: this.#scansOf(open.role),
      signal: ending.signal,
    });
    this.#subscriptions.set(subscription, { open, ending: own });
    try {
      subscription.listen(messages);
      for await (const event of subscription.events()) {
        serving.throwIfAborted();
        own.signal.throwIfAborted();
        this.#options.observer.eventSent(event.kind, event.kind === 'changes' ? event.records.length : 0);
        yield event;
      }
    } finally {
      ending.release();
      this.#subscriptions.delete(subscription);
      subscription.close();
      release();
    }
  }

  /** Ends the streams of the followers that `isEnded` picks; they may ask again. */
  endStreams(isEnded: (open: FollowOpen) => boolean, why: string): void {
    const error = new MeridianError('UNAVAILABLE', why, { reason: 'stream-ended', retryAfterMs: 100 });
    for (const { open, ending } of this.#subscriptions.values()) if (isEnded(open)) ending.abort(error);
  }

  followers(): readonly FollowerView[] {
    return [...this.#subscriptions.keys()].map((subscription) => subscription.view());
  }

  #scansOf(role: FollowOpen['role']): Semaphore {
    if (role === 'peer') return this.#scans.peers;
    return role === 'watch' ? this.#scans.watches : this.#scans.edges;
  }

  #admit(open: FollowOpen): void {
    this.#serving.signal.throwIfAborted();
    const { followersMax } = this.#options;
    const clusterId = this.#options.clusterId();
    if (clusterId === undefined) {
      throw new MeridianError('UNAVAILABLE', 'this node belongs to no cluster yet', {
        reason: 'no-cluster',
        retryAfterMs: 1000,
      });
    }
    commonVersion(open);
    if (open.clusterId !== undefined && open.clusterId !== clusterId) {
      throw new MeridianError(
        'FAILED_PRECONDITION',
        `the follower belongs to cluster ${open.clusterId}, this node to ${clusterId}`,
        { reason: 'other-cluster' },
      );
    }
    this.#checkScope(open.filter);
    if (this.#subscriptions.size >= followersMax) {
      throw new MeridianError('RESOURCE_EXHAUSTED', `this node serves ${followersMax} followers already`, {
        reason: 'too-many-followers',
        limit: followersMax,
        seen: this.#subscriptions.size + 1,
        retryAfterMs: 5000,
      });
    }
  }

  /** A scope is served whole or not at all: otherwise a follower would claim what it was never sent. */
  #checkScope({ includes, excludes }: Filter): void {
    const { serves } = this.#options;
    if (serves === undefined) return;
    const lacking = includes.find((range) => !containsFilter(serves, { includes: [range], excludes }));
    if (lacking === undefined || !holds('R6 a relay serves what it holds whole')) return;
    const namespace = lacking.namespace === '*' ? 'every namespace' : `namespace ${lacking.namespace}`;
    const prefix = lacking.prefix === '' ? '' : ` with prefix ${JSON.stringify(lacking.prefix)}`;
    throw new MeridianError(
      'FAILED_PRECONDITION',
      `${this.#options.identity.name} does not hold the whole of ${namespace}${prefix}, so it serves no followers of it`,
      { reason: 'scope-not-served' },
    );
  }
}
