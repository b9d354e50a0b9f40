import type { NodeIdentity } from '../../model/cluster.ts';
import { isMeridianError, MeridianError } from '../../model/errors.ts';
import type { Echo, Feed, FeedEvent, FollowerMessage, FollowerReport, FollowOpen } from '../../model/feed.ts';
import { checkChosen } from '../../model/feed-version.ts';
import type { Position } from '../../model/position.ts';
import { Backoff, type BackoffOptions } from '../../runtime/backoff.ts';
import { BoundedQueue } from '../../runtime/bounded-queue.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import { withEither } from '../../runtime/with-either.ts';
import type { ReplicationObserver } from '../observer.ts';
import type { FeedSink } from './feed-sink.ts';
import type { StalenessTracker } from './staleness-tracker.ts';

export type FollowState = 'connecting' | 'scanning' | 'live' | 'resyncing';

/** The upstream to follow now. The loop asks for it at each new stream and tells it how the stream went. */
export interface FollowedUpstream {
  readonly name: string;
  readonly feed: Feed;
  /** The upstream has answered. Default: ignored. */
  opened?(): void;
  /** This node has caught up with the upstream. */
  succeeded(): void;
  /** `isOwn`: this node's sink threw the error, as it began or took an event. */
  failed(error: unknown, isOwn: boolean): void;
  /** Aborted when another upstream is to be followed instead. The loop asks again at once; this is no failure. */
  readonly leave?: AbortSignal;
}

export interface FollowLoopOptions {
  /** For metrics: `copy`, `cache`, or a peer's name. */
  readonly scope: string;
  readonly upstream: () => FollowedUpstream;
  readonly sink: FeedSink;
  readonly tracker: StalenessTracker;
  /** The handshake without `start`. */
  readonly open: () => Omit<FollowOpen, 'start'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: ReplicationObserver;
  /** Milliseconds between probes: the bound varies by as much. */
  readonly probeIntervalMs: number;
  /** Milliseconds without an event after which a live stream is given up; never less than a few probe intervals. */
  readonly silenceMsMax: number;
  readonly backoff: BackoffOptions;
  /** Called with what the server said of clocks, as it was within the round trip that ends now. Default: not called. */
  readonly heardClock?: (clock: HeardClock) => void;
  /** True where writers wait for acknowledgements: a step is acknowledged at once, as soon as the last echo is back. */
  readonly acknowledgesAtOnce?: boolean;
  /** The hit rate of this node's reads, sent with each probe. Default: not sent. */
  readonly hitRate?: () => number | undefined;
  /** Told of tracked changes before they are applied, so that this node's own followers are tracked too. */
  readonly tracks?: { begin(position: Position): void };
}

export interface HeardClock extends Pick<Echo, 'wallMs' | 'rootWallMs' | 'rootAgeMs'> {
  /** The server. */
  readonly node: NodeIdentity;
  /** Milliseconds within which the clocks were read, at the most. */
  readonly roundTripMs: number;
}

/** Probes that may stay without an echo before the upstream counts as silent. */
const probesUnheardMax = 3;
/** Milliseconds within which a server must answer a new stream. It answers before it queues the follower for a scan. */
const openingMsMax = 60_000;
/**
 * Milliseconds without an event during a scan. An echo waits for the end of the scan, and the scan may queue behind as
 * many followers as a node serves, each for a while. A follower that leaves the queue loses its place, so this bound is
 * only for an upstream that hangs.
 */
const scanSilenceMsMax = 30 * 60_000;
/** Round trips to keep. The shortest is reported: an echo that waited behind data says nothing of the line. */
const roundTripsKept = 16;
/** Tracked changes that one probe reports; if there are more, the earliest are left out. */
const trackedMax = 64;

/**
 * Follows one scope for as long as the signal lets it: reads its place from the sink, follows from there, applies, and
 * on any end backs off and goes again.
 */
export class FollowLoop {
  readonly #options: FollowLoopOptions;
  readonly #backoff: Backoff;
  #state: FollowState = 'connecting';
  #upstreamName: string | undefined;
  #trouble: string | undefined;
  /** What the sink threw last. */
  #thrownHere: unknown;
  /** Something was applied that no probe has acknowledged yet. */
  #applied = false;
  /** The server at the other end of the stream, and when the stream was asked for. */
  #server: NodeIdentity | undefined;
  #askedMs = 0;
  #awaitsEcho = false;
  /** Tracked changes that are applied and not reported yet; the latest probe that reported some and has no echo yet. */
  #tracked: readonly number[] = [];
  #toldTracked: number | undefined;
  /** The last echo of this stream that was applied, and how long the latest ones took. */
  #echoed: number | undefined;
  #roundTripsMs: readonly number[] = [];
  #hurried: () => void = () => {};

  constructor(options: FollowLoopOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
  }

  get state(): FollowState {
    return this.#state;
  }

  /** The name of the upstream that is followed, or was last. */
  get upstreamName(): string | undefined {
    return this.#upstreamName;
  }

  /** Why the last stream ended, until one has caught up again. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { upstream, observer, scope, tracker } = this.#options;
    while (!signal.aborted) {
      const followed = upstream();
      this.#upstreamName = followed.name;
      this.#state = 'connecting';
      const ending = new AbortController();
      const onAbort = () => ending.abort(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const onLeave = () => ending.abort(followed.leave?.reason);
      followed.leave?.addEventListener('abort', onLeave, { once: true });
      let restMs = 0;
      try {
        await this.#followOnce(followed, ending);
        throw new MeridianError('UNAVAILABLE', `${followed.name} ended the feed`, { reason: 'feed-ended' });
      } catch (thrown) {
        if (signal.aborted) return;
        if (followed.leave?.aborted === true) continue;
        // If this loop gave the stream up, the transport throws its own error; the real reason is in the signal.
        const error = ending.signal.aborted ? ending.signal.reason : thrown;
        this.#trouble = error instanceof Error ? error.message : String(error);
        observer.followEnded(scope, followed.name, error);
        followed.failed(error, error === this.#thrownHere);
        const hintMs = isMeridianError(error) ? (error.details.retryAfterMs ?? 0) : 0;
        restMs = hintMs + this.#backoff.nextMs();
      } finally {
        signal.removeEventListener('abort', onAbort);
        ending.abort(new Error('the stream is over'));
        this.#state = 'connecting';
        tracker.disconnected();
        this.#options.sink.closed();
      }
      await this.#rest(restMs, signal);
    }
  }

  /** The upstream was heard of: stop the back-off and connect now. */
  hurry(): void {
    this.#hurried();
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const hurried = new AbortController();
    this.#hurried = () => hurried.abort();
    const rest = (until: AbortSignal) => sleep(this.#options.clock, ms, until);
    await withEither([signal, hurried.signal], rest).catch(() => undefined);
    this.#hurried = () => {};
  }

  async #followOnce(followed: FollowedUpstream, ending: AbortController): Promise<void> {
    const { sink, clock, probeIntervalMs } = this.#options;
    const silenceMsMax = Math.max(this.#options.silenceMsMax, probesUnheardMax * probeIntervalMs);
    const probes = new BoundedQueue<FollowerMessage>(16);
    const start = await this.#here(sink.start());
    // In the same turn: what the sink counts as told is what is told.
    const open: FollowOpen = { ...this.#options.open(), start };
    let heardMs = clock.monotonicMs();
    this.#beginStream(heardMs);
    const giveUp = () => {
      const reason = this.#state === 'live' ? 'feed-silent' : 'scan-silent';
      ending.abort(new MeridianError('UNAVAILABLE', `${followed.name} is silent`, { reason }));
    };
    let timer = clock.timer(openingMsMax, giveUp);
    const tick = () => {
      const mostMs = this.#state === 'live' ? silenceMsMax : scanSilenceMsMax;
      if (clock.monotonicMs() - heardMs > mostMs) giveUp();
      this.#probe(probes);
      timer = clock.timer(probeIntervalMs, tick);
    };
    try {
      for await (const event of followed.feed.follow(open, probes, ending.signal)) {
        heardMs = Number.POSITIVE_INFINITY; // While an event is applied, the wait is for this node's disk.
        if (event.kind === 'opened') {
          timer.cancel();
          tick();
        }
        await this.#here(this.#take(event, followed));
        heardMs = clock.monotonicMs();
        this.#tellTracked(event, probes);
        this.#acknowledge(event, probes);
        ending.signal.throwIfAborted();
      }
      ending.signal.throwIfAborted();
    } finally {
      timer.cancel();
      probes.end();
    }
  }

  #here<T>(done: Promise<T>): Promise<T> {
    return done.catch((error: unknown) => {
      this.#thrownHere = error;
      throw error;
    });
  }

  #beginStream(nowMs: number): void {
    this.#askedMs = nowMs;
    this.#applied = false;
    this.#awaitsEcho = false;
    this.#tracked = [];
    this.#toldTracked = undefined;
    this.#echoed = undefined;
    this.#roundTripsMs = [];
  }

  /** At most one probe of this kind is under way; what was applied meanwhile is acknowledged when it is back. */
  #acknowledge(event: FeedEvent, probes: BoundedQueue<FollowerMessage>): void {
    if (this.#options.acknowledgesAtOnce !== true) return;
    if (event.kind === 'echo') this.#awaitsEcho = false;
    else if (event.kind === 'caught-up' || (event.kind === 'changes' && event.step !== undefined)) this.#applied = true;
    if (!this.#applied || this.#awaitsEcho) return;
    this.#applied = false;
    this.#awaitsEcho = true;
    this.#probe(probes);
  }

  /** At once, but one such probe at a time: a flood would push out the probes that prove the age. */
  #tellTracked(event: FeedEvent, probes: BoundedQueue<FollowerMessage>): void {
    if (event.kind === 'changes' && event.tracks !== undefined) {
      this.#tracked = [...this.#tracked, ...event.tracks.map(({ id }) => id)].slice(-trackedMax);
    } else if (event.kind === 'echo' && event.id >= (this.#toldTracked ?? 0)) this.#toldTracked = undefined;
    if (this.#tracked.length > 0 && this.#toldTracked === undefined) this.#probe(probes);
  }

  #probe(probes: BoundedQueue<FollowerMessage>): void {
    const { tracker, sink, clock } = this.#options;
    if (probes.size >= 8) return; // The stream does not move: more probes would prove nothing more.
    const id = tracker.probe();
    probes.push({ kind: 'probe', id, durable: sink.durable(), wallMs: clock.wallMs(), ...this.#report() });
    if (this.#tracked.length > 0) this.#toldTracked = id;
    this.#tracked = [];
  }

  #report(): FollowerReport {
    const hitRate = this.#options.hitRate?.();
    return {
      ...(this.#echoed === undefined ? {} : { echoed: this.#echoed }),
      ...(this.#roundTripsMs.length === 0 ? {} : { roundTripMs: Math.min(...this.#roundTripsMs) }),
      ...(hitRate === undefined ? {} : { hitRate }),
      ...(this.#tracked.length === 0 ? {} : { tracked: this.#tracked }),
    };
  }

  async #take(event: FeedEvent, followed: FollowedUpstream): Promise<void> {
    const { sink, tracker, observer, scope, clock } = this.#options;
    observer.eventReceived(scope, event.kind, event.kind === 'changes' ? event.records.length : 0);
    switch (event.kind) {
      case 'opened':
        checkChosen(event.protocol);
        this.#server = event.node;
        this.#heardClock(event, clock.monotonicMs() - this.#askedMs);
        await sink.opened(event);
        followed.opened?.();
        this.#state = 'scanning';
        return;
      case 'resync':
        tracker.reset();
        this.#state = 'resyncing';
        return sink.apply(event);
      case 'changes':
        for (const { position } of event.tracks ?? []) this.#options.tracks?.begin(position);
        return sink.apply(event);
      case 'caught-up':
        await sink.apply(event);
        this.#state = 'live';
        this.#trouble = undefined;
        this.#backoff.succeeded();
        followed.succeeded();
        observer.followCaughtUp(scope, followed.name);
        return;
      case 'echo':
        this.#takeEcho(event);
    }
  }

  #takeEcho(echo: Echo): void {
    const { sink, tracker, observer, scope } = this.#options;
    const roundTripMs = tracker.roundTripMs(echo);
    if (roundTripMs !== undefined) {
      this.#heardClock(echo, roundTripMs);
      sink.checkEcho(echo.wallMs, roundTripMs);
      this.#roundTripsMs = [...this.#roundTripsMs, roundTripMs].slice(-roundTripsKept);
    }
    tracker.echoed(echo);
    this.#echoed = echo.id;
    if (roundTripMs !== undefined && echo.bound !== undefined) {
      observer.echoed(scope, echo.bound.root, roundTripMs);
    }
  }

  #heardClock(clocks: Omit<HeardClock, 'node' | 'roundTripMs'>, roundTripMs: number): void {
    const { observer, clock, heardClock } = this.#options;
    if (this.#server === undefined) return;
    // The server read its clock somewhere within the round trip: half of it is the best guess.
    const { wallMs, rootWallMs, rootAgeMs = 0 } = clocks;
    observer.clockSkew(this.#server.name, clock.wallMs() - wallMs - roundTripMs / 2);
    const root = rootWallMs === undefined ? {} : { rootWallMs, rootAgeMs };
    heardClock?.({ node: this.#server, wallMs, roundTripMs, ...root });
  }
}
