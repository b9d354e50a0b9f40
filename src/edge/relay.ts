import type { FollowerStatus, NodeIdentity } from '../model/cluster.ts';
import type { CaughtUp, Changes, FeedEvent, FollowerMessage, FollowOpen, Resync } from '../model/feed.ts';
import { FeedServer, type FeedServerOptions } from '../replication/feed-server.ts';
import type { FeedSink } from '../replication/feed-sink.ts';
import { followerStatus } from '../replication/follower-status.ts';
import type { Random } from '../runtime/random.ts';
import type { CopyPart } from './copy-part.ts';

export interface RelayOptions
  extends Pick<
    FeedServerOptions,
    | 'clock'
    | 'observer'
    | 'clusterId'
    | 'nonce'
    | 'scanRecordsMax'
    | 'scanBytesMax'
    | 'scansMax'
    | 'scanStallMs'
    | 'followersMax'
  > {
  readonly random: Random;
  readonly identity: NodeIdentity;
}

const generationName = 'relay/generation';

/**
 * What an edge with a copy is to those below it: a server of the feed over the copy's own ledger.
 *
 *     origin ──▶ relay (copies all) ──▶ edge (copies some, caches the rest)
 *     echo: 0 ms        echo: 40 ms            bound: 40 ms + its own round trip
 *
 * Its events carry what the copy covers (rule R5) and its echoes the bound of the copy as it was when the probe came. It
 * serves nobody before the copy has caught up for the first time (rule R17) nor while it resyncs (rule R21): what a sweep
 * removes goes without a trace, so nobody may follow meanwhile, nor go on from a scan that was begun before.
 */
export class Relay {
  readonly #part: CopyPart;
  readonly #random: Random;
  readonly #feed: FeedServer;
  #generation: string;

  private constructor(part: CopyPart, options: RelayOptions, generation: string) {
    this.#part = part;
    this.#random = options.random;
    this.#generation = generation;
    this.#feed = new FeedServer({
      ...options,
      ledger: part.ledger,
      serves: part.filter,
      generation: () => this.#generation,
      bound: () => part.bound(),
    });
    if (!part.hasCaughtUp) this.#feed.suspend('its copy has not caught up yet');
  }

  static async open(part: CopyPart, options: RelayOptions): Promise<Relay> {
    const stored = await part.ledger.store.meta(generationName);
    const relay = new Relay(part, options, stored === undefined ? '' : Buffer.from(stored).toString());
    if (stored === undefined) await relay.#beginGeneration();
    return relay;
  }

  /** The copy's side of the feed that it follows, told here what that means for those who follow this node. */
  sink(sink: FeedSink): FeedSink {
    return {
      start: () => sink.start(),
      opened: (event) => sink.opened(event),
      apply: (event) => this.#apply(sink, event),
      durable: () => sink.durable(),
      checkStore: () => sink.checkStore?.(),
    };
  }

  /** @throws FAILED_PRECONDITION where the copy does not hold the part whole; UNAVAILABLE while it serves nobody */
  follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent, void, undefined> {
    return this.#feed.follow(open, messages, signal);
  }

  followers(): readonly FollowerStatus[] {
    const { covered } = this.#part.ledger.state;
    return this.#feed.followers().map((view) => followerStatus(view, covered));
  }

  /** The edges that follow this one, each once for each of its parts. */
  nodes(): readonly NodeIdentity[] {
    return this.#feed.followers().map(({ node }) => node);
  }

  /** Ends every follower's stream; the copy is being closed. */
  close(): void {
    this.#feed.suspend('its parts are opened anew');
  }

  async #apply(sink: FeedSink, event: Resync | Changes | CaughtUp): Promise<void> {
    if (event.kind === 'resync') {
      this.#feed.suspend('its copy is taken over anew');
      await this.#beginGeneration();
    }
    await sink.apply(event);
    if (event.kind === 'caught-up') this.#feed.resume();
  }

  /** Tokens of scans that were begun before are void from now on. */
  async #beginGeneration(): Promise<void> {
    this.#generation = this.#random.hex(8);
    const meta = new Map([[generationName, Buffer.from(this.#generation)]]);
    await this.#part.ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) });
  }
}
