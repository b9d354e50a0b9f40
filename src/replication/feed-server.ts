import type { NodeIdentity } from '../model/cluster.ts';
import { type Cursor, cursorOf } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../model/feed.ts';
import { containsFilter, type Filter } from '../model/filter.ts';
import type { OriginId } from '../model/position.ts';
import type { Bound } from '../model/staleness.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Clock } from '../runtime/clock.ts';
import { Semaphore } from '../runtime/semaphore.ts';
import { either } from '../runtime/with-either.ts';
import type { Ledger } from './ledger.ts';
import type { ReplicationObserver } from './observer.ts';
import { PartShapes } from './part-shape.ts';
import type { ScanBounds } from './scan.ts';
import { Subscription } from './subscription.ts';

export interface FeedServerOptions extends ScanBounds {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  readonly identity: NodeIdentity;
  /** Undefined while the node belongs to none yet: then it serves nobody. */
  readonly clusterId: () => string | undefined;
  readonly nonce: string;
  /** The origin whose own log this is; unset at an edge. */
  readonly self?: OriginId;
  /** What this store holds whole; a follower of more is refused. Default: everything. */
  readonly serves?: Filter;
  /** Changes whenever the store begins anew (rule R21); tokens hold for one. */
  readonly generation: () => string;
  /** This node's own bound now; unset = unknown. */
  readonly bound: () => Bound | undefined;
  /** Scans at once, of each of peers, edges and watches; the rest wait in the order of coming. */
  readonly scansMax: number;
  /**
   * Milliseconds that its follower lets a scan wait with one event, or a watch's client with all of them, after which it
   * gives up its place and its snapshot, and stands in line again to go on.
   */
  readonly scanStallMs: number;
  /** Followers at once; one more is refused. */
  readonly followersMax: number;
  /**
   * A follower has this on disk, of what its stream has sent; `said` is all that it says to have. Default: nobody listens.
   */
  readonly acknowledged?: (
    follower: NodeIdentity,
    role: FollowOpen['role'],
    durable: VersionVector,
    said: VersionVector,
  ) => void;
}

/** One follower as the server sees it. */
export interface FollowerView {
  readonly node: NodeIdentity;
  readonly role: FollowOpen['role'];
  readonly state: 'waiting' | 'scanning' | 'live';
  /** Commits that wait for it, where it is live. */
  readonly behindCommits?: number;
  /** What it last said to have on disk. */
  readonly durable: VersionVector;
}

/** The serving side of the feed: every follower a subscription, all over one ledger. */
export class FeedServer {
  readonly options: FeedServerOptions;
  readonly shapes = new PartShapes();
  /** Peers have places of their own, and so have watches: a crowd of one kind does not keep the others waiting. */
  readonly #scans: { readonly peers: Semaphore; readonly edges: Semaphore; readonly watches: Semaphore };
  readonly #subscriptions = new Set<Subscription>();
  #serving = new AbortController();

  constructor(options: FeedServerOptions) {
    this.options = options;
    const places = () => new Semaphore(options.scansMax);
    this.#scans = { peers: places(), edges: places(), watches: places() };
  }

  scansOf(role: FollowOpen['role']): Semaphore {
    if (role === 'peer') return this.#scans.peers;
    return role === 'watch' ? this.#scans.watches : this.#scans.edges;
  }

  /** Ends every stream and serves none until `resume` (rules R17, R21). Where it serves none already, says why from now on. */
  suspend(why: string, reason: 'feed-suspended' | 'feed-sweeping' = 'feed-suspended'): void {
    if (this.#serving.signal.aborted) this.#serving = new AbortController();
    const message = `this node serves no feed now: ${why}`;
    this.#serving.abort(new MeridianError('UNAVAILABLE', message, { reason, retryAfterMs: 200 }));
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
    const ending = either([signal, serving]);
    const subscription = new Subscription(this, open, ending.signal);
    this.#subscriptions.add(subscription);
    try {
      subscription.listen(messages);
      for await (const event of subscription.events()) {
        serving.throwIfAborted();
        this.options.observer.eventSent(event.kind, event.kind === 'changes' ? event.records.length : 0);
        yield event;
      }
    } finally {
      ending.release();
      this.#subscriptions.delete(subscription);
      await subscription.close();
    }
  }

  followers(): readonly FollowerView[] {
    return [...this.#subscriptions].map((subscription) => subscription.view());
  }

  /** What this node covers, as a cursor. */
  cursor(vector: VersionVector): Cursor {
    return cursorOf(vector, this.options.ledger.state.epochs);
  }

  #admit(open: FollowOpen): void {
    this.#serving.signal.throwIfAborted();
    const { followersMax } = this.options;
    const clusterId = this.options.clusterId();
    if (clusterId === undefined) {
      throw new MeridianError('UNAVAILABLE', 'this node belongs to no cluster yet', {
        reason: 'no-cluster',
        retryAfterMs: 1000,
      });
    }
    if (open.protocol !== 1) {
      throw new MeridianError('FAILED_PRECONDITION', `this node speaks version 1 of the feed, not ${open.protocol}`, {
        reason: 'feed-version',
        limit: 1,
        seen: open.protocol,
      });
    }
    if (open.clusterId !== undefined && open.clusterId !== clusterId) {
      throw new MeridianError(
        'FAILED_PRECONDITION',
        `the follower belongs to cluster ${open.clusterId}, this node to ${clusterId}`,
        { reason: 'other-cluster' },
      );
    }
    this.#checkPart(open.filter);
    if (this.#subscriptions.size >= followersMax) {
      throw new MeridianError('RESOURCE_EXHAUSTED', `this node serves ${followersMax} followers already`, {
        reason: 'too-many-followers',
        limit: followersMax,
        seen: this.#subscriptions.size + 1,
        retryAfterMs: 5000,
      });
    }
  }

  /** A part is served whole or not at all: a follower would think that it covers what it was never sent. */
  #checkPart({ includes, excludes }: Filter): void {
    const { serves } = this.options;
    if (serves === undefined) return;
    const lacking = includes.find((range) => !containsFilter(serves, { includes: [range], excludes }));
    if (lacking === undefined) return;
    const namespace = lacking.namespace === '*' ? 'every namespace' : `namespace ${lacking.namespace}`;
    const prefix = lacking.prefix === '' ? '' : ` with prefix ${JSON.stringify(lacking.prefix)}`;
    throw new MeridianError(
      'FAILED_PRECONDITION',
      `${this.options.identity.name} does not hold the whole of ${namespace}${prefix}, so it serves no followers of it`,
      { reason: 'part-not-served' },
    );
  }
}
