import type { NodeIdentity } from '../model/cluster.ts';
import type { Epoch } from '../model/epoch.ts';
import { isMeridianError, type MeridianError } from '../model/errors.ts';
import { everything } from '../model/filter.ts';
import type { OriginId } from '../model/position.ts';
import type { Upstream } from '../model/upstream.ts';
import { FollowLoop, type FollowLoopOptions, type FollowState } from '../replication/follow-loop.ts';
import { StalenessTracker } from '../replication/staleness-tracker.ts';
import { PeerSink, type PeerSinkOptions } from './peer-sink.ts';

/** Another origin as it is reached: closed by whoever opened it. */
export interface PeerConnection {
  readonly upstream: Upstream;
  close(): void;
}

export interface PeerLinkOptions
  extends PeerSinkOptions,
    Pick<FollowLoopOptions, 'random' | 'probeIntervalMs' | 'silenceMsMax' | 'backoff'> {
  readonly connection: PeerConnection;
  readonly self: () => NodeIdentity;
  readonly nonce: string;
  readonly clusterId: () => string | undefined;
  /**
   * The peer refuses this origin because it was removed; `final` is what all keep of its log, and `epoch` the opening
   * from which the peer knows that sequence, where it does.
   */
  readonly retired: (final: number, epoch: Epoch | undefined) => void;
  /** The peer knows another life of this origin's disk. */
  readonly rolledBack: (why: string) => void;
}

/** What an origin knows of one peer. */
export interface PeerView {
  readonly address: string;
  readonly node?: NodeIdentity;
  readonly state: FollowState;
  /** Milliseconds; how old what it wrote may be here. Unset = unknown. */
  readonly boundMs?: number;
  /** Why it is not followed, where it is not. */
  readonly refused?: string;
  /** True where it is not followed because the clocks differ too much. */
  readonly clocksDiffer: boolean;
}

/** One origin following another, at one address, for as long as the signal lets it. */
export class PeerLink {
  readonly address: string;
  readonly #connection: PeerConnection;
  readonly #sink: PeerSink;
  readonly #loop: FollowLoop;
  readonly #tracker: StalenessTracker;
  readonly #stop = new AbortController();
  #refused: string | undefined;
  #answers = false;
  #sweeps = false;
  #clocksDiffer = false;
  #running: Promise<void> | undefined;
  /** Who answered there last, also while it is away. */
  #known: NodeIdentity | undefined;

  private constructor(options: PeerLinkOptions, sink: PeerSink) {
    const { address, connection, clock, random, observer, probeIntervalMs, silenceMsMax, backoff } = options;
    this.address = address;
    this.#connection = connection;
    this.#sink = sink;
    this.#tracker = new StalenessTracker(clock, options.clockSkewMsMax);
    this.#loop = new FollowLoop({
      part: `peer ${address}`,
      upstream: () => ({
        name: address,
        feed: connection.upstream,
        succeeded: () => {
          this.#clocksDiffer = false;
          this.#answers = true;
          this.#sweeps = false;
          this.#refused = undefined;
        },
        failed: (error) => {
          this.#refused = (error as Error).message;
          this.#sweeps = isMeridianError(error) && error.details.reason === 'feed-sweeping';
          if (!isMeridianError(error)) return;
          this.#answers = error.code !== 'UNAVAILABLE' || isOfOneThatAnswers(error);
          this.#clocksDiffer = error.details.reason === 'clock-skew';
          const { reason, limit, seen } = error.details;
          if (reason === 'retired' && limit !== undefined) options.retired(limit, seen);
          if (reason === 'rolled-back') options.rolledBack(error.message);
        },
      }),
      sink,
      tracker: this.#tracker,
      open: () => {
        const clusterId = options.clusterId();
        const node = options.self();
        const belongs = clusterId === undefined ? {} : { clusterId };
        return { protocol: 1, node, nonce: options.nonce, ...belongs, role: 'peer', filter: everything, values };
      },
      clock,
      random,
      observer,
      probeIntervalMs,
      silenceMsMax,
      backoff,
      acknowledgesAtOnce: true,
    });
  }

  static async open(options: PeerLinkOptions): Promise<PeerLink> {
    return new PeerLink(options, await PeerSink.open(options));
  }

  /** Who is followed now; unset while nobody is. */
  get peer(): NodeIdentity | undefined {
    this.#known = this.#sink.peer ?? this.#known;
    return this.#sink.peer;
  }

  get peerId(): OriginId | undefined {
    return this.peer?.id as OriginId | undefined;
  }

  /** Who answers calls there, also where its feed is not followed now. */
  get answering(): OriginId | undefined {
    const known = this.answers ? this.known : undefined;
    return known?.id as OriginId | undefined;
  }

  /** True where somebody answers calls there, met or not. */
  get answers(): boolean {
    return this.peer !== undefined || this.#answers;
  }

  /** True where the peer serves no feed because it sweeps itself. */
  get sweeps(): boolean {
    return this.#sweeps;
  }

  /** Who was met there last. */
  get known(): NodeIdentity | undefined {
    return this.peer ?? this.#known;
  }

  get upstream(): Upstream {
    return this.#connection.upstream;
  }

  start(): void {
    this.#running = this.#loop.run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the link is given up'));
    await this.#running?.catch(() => {});
    this.#connection.close();
  }

  /** Its peer was heard of: it is tried again at once. */
  hurry(): void {
    this.#loop.hurry();
  }

  view(): PeerView {
    const node = this.known;
    const bound = this.#tracker.bound();
    return {
      address: this.address,
      state: this.#loop.state,
      clocksDiffer: this.#clocksDiffer,
      ...(node === undefined ? {} : { node }),
      ...(bound === undefined ? {} : { boundMs: bound.boundMs }),
      ...(this.#refused === undefined ? {} : { refused: this.#refused }),
    };
  }
}

const values = { kind: 'all' } as const;

/** True where what ended the feed says nothing against calls to the peer. */
function isOfOneThatAnswers({ details: { reason } }: MeridianError): boolean {
  return reason === 'joining' || reason === 'lost-life' || reason === 'begins-anew' || reason === 'retirement-unheard';
}
