import { isMeridianError } from '../model/errors.ts';
import type { FollowedUpstream } from '../replication/following/follow-loop.ts';
import type { Clock } from '../runtime/clock.ts';
import { Cooldowns } from './cooldowns.ts';
import { isOutOfScope } from './refused-namespaces.ts';
import type { NamedUpstream, Upstreams } from './upstreams.ts';

/** Milliseconds for which an upstream that serves no feed just now is not followed. */
const suspendedMs = { firstMs: 500, mostMs: 30_000 };
/** Milliseconds for which a relay is not asked again for a scope that it lacks, nor a node that hung in a scan. */
const notServedMs = 10 * 60_000;

/** Reasons to follow another one for long: the upstream is up, and fail-back would return to it at once. */
const notServed = new Set(['scope-not-served', 'not-a-relay', 'scan-silent']);

/** Reasons that concern the feed alone: an upstream that gives one may well answer loads. */
const feedOnly = new Set(['feed-suspended', 'no-cluster', 'too-many-followers', 'out-of-scope', 'right-missing']);

/** Reasons of this edge's own, such as a failed store: another upstream would not help, and this one answers loads. */
const ofThisEdge = new Set(['begins-anew', 'store-failed', 'store-closed', 'disk-full', 'commit-queue-full']);

/**
 * The upstream that one scope follows: the first of the list that is up and serves this scope. A relay that refuses a
 * scope is passed over for that scope alone; loads and other scopes go there as before.
 */
export class FeedRoute {
  readonly #upstreams: Upstreams;
  readonly #clock: Clock;
  readonly #refused: () => void;
  readonly #suspended: Cooldowns;
  readonly #notServedUntilMs = new Map<string, number>();
  #followed: NamedUpstream | undefined;
  #leaving = new AbortController();

  /** `refused` is called when this edge may not follow what it asks for. */
  constructor(upstreams: Upstreams, clock: Clock, refused: () => void) {
    this.#refused = refused;
    this.#upstreams = upstreams;
    this.#clock = clock;
    this.#suspended = new Cooldowns(clock, suspendedMs);
  }

  /** For the follow loop, at each new stream. */
  next(): FollowedUpstream {
    const named = this.#upstreams.current((name) => this.#coolsUntilMs(name));
    this.#followed = named;
    this.#leaving = new AbortController();
    return {
      name: named.name,
      feed: named.upstream,
      leave: this.#leaving.signal,
      opened: () => this.#upstreams.answered(named),
      succeeded: () => {
        this.#upstreams.joined(named);
        this.#upstreams.succeeded(named);
        this.#suspended.succeeded(named.name);
      },
      failed: (error, isOwn) => this.#failed(named, error, isOwn),
    };
  }

  /** True if the list has this one before the followed one, and it would be tried. */
  prefers(candidate: NamedUpstream): boolean {
    const { list } = this.#upstreams;
    if (this.#followed === undefined || list.indexOf(candidate) >= list.indexOf(this.#followed)) return false;
    return this.#coolsUntilMs(candidate.name) <= this.#clock.monotonicMs();
  }

  /** Ends the stream that is open, so that the loop chooses again. */
  leave(): void {
    this.#leaving.abort(new Error('an upstream that is preferred is back'));
  }

  #coolsUntilMs(name: string): number {
    return Math.max(this.#suspended.untilMs(name), this.#notServedUntilMs.get(name) ?? Number.NEGATIVE_INFINITY);
  }

  #failed(named: NamedUpstream, error: unknown, isOwn: boolean): void {
    const reason = isMeridianError(error) ? error.details.reason : undefined;
    if (isOwn && reason !== undefined && ofThisEdge.has(reason)) return;
    if (isOutOfScope(error)) this.#refused();
    if (reason !== undefined && notServed.has(reason)) {
      this.#notServedUntilMs.set(named.name, this.#clock.monotonicMs() + notServedMs);
    } else if (isMeridianError(error) && reason === 'other-cluster') this.#upstreams.foreign(named, error.message);
    else if (reason !== undefined && feedOnly.has(reason)) this.#suspended.failed(named.name);
    else this.#upstreams.failed(named);
  }
}
