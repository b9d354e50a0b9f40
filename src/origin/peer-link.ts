import type { NodeIdentity } from '../model/cluster.ts';
import { isMeridianError } from '../model/errors.ts';
import type { Opening } from '../model/feed.ts';
import { feedVersions } from '../model/feed-version.ts';
import { everything } from '../model/filter.ts';
import type { MemberId } from '../model/position.ts';
import type { Peer } from '../model/upstream.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { SettledTime } from '../replication/clocks/settled-time.ts';
import { FollowLoop, type FollowLoopOptions, type FollowState } from '../replication/following/follow-loop.ts';
import { StalenessTracker } from '../replication/following/staleness-tracker.ts';
import type { Logs } from '../replication/logs.ts';
import type { Clock } from '../runtime/clock.ts';
import { filledElsewhere } from './first-fill.ts';
import { openedLater, sideGivenUp } from './membership/admission.ts';
import { clusterView } from './membership/sides.ts';
import { PeerSink, type PeerSinkOptions } from './peer-sink.ts';

/** A connection to another origin: whoever opened it closes it. */
export interface PeerConnection {
  readonly upstream: Peer;
  close(): void;
}

export interface PeerLinkOptions
  extends PeerSinkOptions,
    Pick<FollowLoopOptions, 'random' | 'probeIntervalMs' | 'silenceMsMax' | 'backoff'>,
    Required<Pick<FollowLoopOptions, 'tracks'>> {
  readonly connection: PeerConnection;
  /** Hears what other origins' clocks say. */
  readonly settled: Pick<SettledTime, 'heard'>;
  readonly self: () => NodeIdentity;
  readonly nonce: string;
  readonly clusterId: () => string | undefined;
  /** This member's opening, once it has opened its log. */
  readonly opening: () => Opening | undefined;
  /** What was purged here, and so was heard of (rule R8). */
  readonly floor: () => VersionVector;
  /** The peer refuses this member: it was removed, or its disk was put back behind a purge there (rule R8). */
  readonly mustLeave: (as: 'same' | 'new', why: string) => void;
  /** The peer runs as this member too, and was opened later (rule R16). */
  readonly mustStop: (why: string) => void;
}

/** What an origin knows of one peer. */
export interface PeerView {
  readonly address: string;
  readonly node?: NodeIdentity;
  readonly state: FollowState;
  /** Milliseconds; how old what it wrote may be here. Unset = unknown. */
  readonly boundMs?: number;
  /** Why it is not followed, if it is not. */
  readonly refused?: string;
  /** True if it is not followed because the clocks differ too much. */
  readonly clocksDiffer: boolean;
}

/** One origin following another, at one address, for as long as the signal lets it. */
export class PeerLink {
  readonly address: string;
  readonly #connection: PeerConnection;
  readonly #sink: PeerSink;
  readonly #loop: FollowLoop;
  readonly #tracker: StalenessTracker;
  readonly #clock: Clock;
  readonly #logs: Logs;
  readonly #stop = new AbortController();
  /** Ends the stream so that the next one begins at once. */
  #again = new AbortController();
  /** How the last stream ended or was refused; `followed` while it is followed, unset before the first answer. */
  #last: 'followed' | Error | undefined;
  #running: Promise<void> | undefined;
  /** The node that answered there last, even while it is away. */
  #known: NodeIdentity | undefined;

  private constructor(options: PeerLinkOptions, sink: PeerSink) {
    const { address, connection, clock, random, observer, probeIntervalMs, silenceMsMax, backoff } = options;
    this.address = address;
    this.#clock = clock;
    this.#connection = connection;
    this.#sink = sink;
    this.#tracker = new StalenessTracker(clock, options.clockSkewMsMax);
    const { logs } = options.ledger.registry;
    this.#logs = logs;
    let toldRemovals = 0;
    // What other peers brought may have passed the place that a stream goes on from, and been purged there since. So
    // only a second refusal counts, of a stream that goes on from what is covered now.
    let wasBelowFloor = false;
    this.#loop = new FollowLoop({
      scope: `peer ${address}`,
      upstream: () => ({
        name: address,
        feed: connection.upstream,
        leave: this.#afresh(),
        succeeded: () => {
          this.#last = 'followed';
        },
        failed: (error) => {
          this.#last = error as Error;
          if (!isMeridianError(error)) return;
          const { reason } = error.details;
          // The peer judged by the removals it was told of: if more are known by now, it judges again.
          const isJudged = logs.removals().size === toldRemovals;
          if (reason === 'removed' && isJudged) options.mustLeave('new', error.message);
          if (reason === sideGivenUp && isJudged) options.mustLeave('same', error.message);
          if (reason === 'below-floor' && wasBelowFloor) options.mustLeave('same', error.message);
          wasBelowFloor = reason === 'below-floor';
          if (reason === 'void-progress') options.mustLeave('same', error.message);
          if (reason === openedLater) options.mustStop(error.message);
        },
      }),
      sink,
      tracker: this.#tracker,
      heardClock: ({ node, wallMs, roundTripMs }) => {
        if (this.#loop.state === 'live') wasBelowFloor = false;
        if (node.id !== options.self().id) options.settled.heard(address, wallMs, roundTripMs);
      },
      open: () => {
        const clusterId = options.clusterId();
        const node = options.self();
        const opening = options.opening();
        toldRemovals = logs.removals().size;
        return {
          ...feedVersions,
          node,
          nonce: options.nonce,
          ...(clusterId === undefined ? {} : { clusterId }),
          role: 'peer',
          filter: everything,
          values,
          takesLost: true,
          ...(opening === undefined ? {} : { opening }),
          floor: options.floor(),
          view: clusterView(options.ledger.registry, node.id as MemberId),
        };
      },
      clock,
      random,
      observer,
      probeIntervalMs,
      silenceMsMax,
      backoff,
      acknowledgesAtOnce: true,
      tracks: options.tracks,
    });
  }

  static async open(options: PeerLinkOptions): Promise<PeerLink> {
    return new PeerLink(options, await PeerSink.open(options));
  }

  /** The node that is followed now; unset while none is. */
  get peer(): NodeIdentity | undefined {
    this.#known = this.#sink.peer ?? this.#known;
    return this.#sink.peer;
  }

  get peerId(): MemberId | undefined {
    return this.peer?.id as MemberId | undefined;
  }

  /** The member that answers calls there, even if its feed is not followed now. */
  get answering(): MemberId | undefined {
    const known = this.answers ? this.known : undefined;
    return known?.id as MemberId | undefined;
  }

  /** True if a node answers calls there, met or not. */
  get answers(): boolean {
    return this.peer !== undefined || answersCalls(this.#last);
  }

  /** True if the node there said last that it does not serve yet. */
  get joins(): boolean {
    return this.#refusal === 'joining';
  }

  /** The peer has begun to show what it holds, and has yet to tell how far that reaches. */
  get isUntold(): boolean {
    return this.#sink.isUntold;
  }

  /** The node that was met there last. */
  get known(): NodeIdentity | undefined {
    return this.peer ?? this.#known;
  }

  get upstream(): Peer {
    return this.#connection.upstream;
  }

  /**
   * All that this member had at this monotonic time is here. Unset = unknown, also while the last proof is of a log that
   * is not known to be the member's: another one may have answered here before.
   */
  heardAsOfMs(member: MemberId): number | undefined {
    const bound = this.#tracker.bound();
    if (bound === undefined || this.#logs.get(bound.root)?.member !== member) return undefined;
    return this.#clock.monotonicMs() - bound.boundMs;
  }

  start(): void {
    this.#running = this.#loop.run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the link is given up'));
    await this.#running?.catch(() => {});
    this.#connection.close();
  }

  /** The peer was heard of: tries it again at once. */
  hurry(): void {
    this.#loop.hurry();
  }

  /**
   * This member has begun to serve, or a new log. The peer was told of no opening, and so did not compare it with that
   * of a copy (R16), nor this member's floor with what it covers itself (R8): the stream is begun again, and it does
   * both.
   */
  introduce(): void {
    this.#again.abort(new Error('this origin has begun to serve'));
  }

  #afresh(): AbortSignal {
    this.#again = new AbortController();
    return this.#again.signal;
  }

  /** The reason of the last end, if it was a refusal. */
  get #refusal(): string | undefined {
    return isMeridianError(this.#last) ? this.#last.details.reason : undefined;
  }

  view(): PeerView {
    const node = this.known;
    const bound = this.#tracker.bound();
    return {
      address: this.address,
      state: this.#loop.state,
      clocksDiffer: this.#refusal === 'clock-skew',
      ...(node === undefined ? {} : { node }),
      ...(bound === undefined ? {} : { boundMs: bound.boundMs }),
      ...(this.#last instanceof Error ? { refused: this.#last.message } : {}),
    };
  }
}

const values = { kind: 'all' } as const;

/** True if the node there says more than that it is away, or says that of its feed alone. */
function answersCalls(last: 'followed' | Error | undefined): boolean {
  if (!(last instanceof Error)) return last === 'followed';
  if (!isMeridianError(last)) return false;
  const { reason } = last.details;
  const isOfTheFeed = reason === 'joining' || reason === 'opening-superseded' || reason === filledElsewhere;
  return last.code !== 'UNAVAILABLE' || isOfTheFeed;
}
